/** Jump to an instance, a screen, or an action of what is named. Nothing that ends a life happens from here unasked. */

import { Combobox, ComboboxInput, ComboboxOption, ComboboxOptions, Dialog, DialogBackdrop, DialogPanel } from "@headlessui/react";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useLocation } from "wouter";

import { type Instance, instancesList } from "@/api/client";
import { tell } from "@/api/problems";
import { useLifecycle } from "@/lib/lifecycle";
import { leadsToEditor, operationIcon, statusWord } from "@/lib/look";
import { lack, useMe } from "@/lib/me";
import { barred } from "@/lib/places";
import { useQuestion } from "@/lib/question";
import { shownTheme, useUi } from "@/lib/ui";
import { act } from "@/live/act";
import { useRevision } from "@/live/rows";
import { held, takeRecords } from "@/live/store";
import { Icon } from "@/parts/Icon";

interface Command {
  id: string;
  text: string;
  note: string;
  icon: string;
  run: () => void;
}

const MOST = 12;

export default function Palette() {
  const close = useUi((ui) => ui.close);
  const [text, setText] = useState("");
  const { commands, note } = useCommands(text.trim().toLowerCase());
  return (
    <Dialog open onClose={close} className="overlay" aria-label="Jump to">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="palette">
          <Combobox
            onChange={(command: Command | null) => {
              if (command === null) return;
              close();
              command.run();
            }}
          >
            <label className="palette-field">
              <Icon name="search" />
              <ComboboxInput autoFocus aria-label="Jump to" placeholder="Instance, screen, or “stop orders”" value={text} onChange={(event) => setText(event.target.value)} autoComplete="off" spellCheck={false} onKeyDown={(event) => event.key === "Escape" && close()} />
              <kbd>Esc</kbd>
            </label>
            <ComboboxOptions static className="palette-list">
              {commands.map((command) => (
                <ComboboxOption key={command.id} value={command} className="palette-item">
                  <Icon name={command.icon} />
                  <span>{command.text}</span>
                  <small>{command.note}</small>
                </ComboboxOption>
              ))}
            </ComboboxOptions>
            <p className="muted palette-note" role="status">
              {note}
            </p>
          </Combobox>
        </DialogPanel>
      </div>
    </Dialog>
  );
}

/** What the list itself cannot say: that it is not all yet, or why it never will be. */
function noteOf(shown: number, { fetching, error }: Omit<Found, "instances">): string {
  if (fetching) return shown === 0 ? "Searching…" : "";
  if (error === null) return shown === 0 ? "Nothing is named like that." : "";
  const { title, detail } = tell(error);
  return `Only what was loaded already was searched. ${detail || title}`;
}

function useCommands(text: string): { commands: Command[]; note: string } {
  const [, navigate] = useLocation();
  const { instances: found, ...search } = useFound(text);
  const screens = useScreens();
  const table = useLifecycle();
  const commands = useMemo(() => {
    const matching = screens.filter((command) => command.text.toLowerCase().includes(text));
    const places = found.map((instance): Command => ({ id: instance.id, text: instance.name, note: `${statusWord(instance.status)} · ${instance.provider}`, icon: "rows", run: () => navigate(`/instances/${instance.name}`) }));
    const words = text.split(/\s+/);
    const actions = found.slice(0, 6).flatMap((instance) =>
      instance.allowed_actions
        .filter((action) => action.enabled && action.button && words.every((word) => `${action.label} ${instance.name}`.toLowerCase().includes(word)))
        .map((action): Command => ({
          id: `${instance.id}-${action.action}`,
          text: `${action.label} ${instance.name}`,
          note: table.ending.has(action.action) || table.asked.has(action.action) ? "is asked again first" : leadsToEditor(action.action) ? "opens the editor" : "asks at once",
          icon: operationIcon(action.action),
          run: () => {
            if (leadsToEditor(action.action)) navigate(`/deployments/${instance.deployment_name}`);
            else if (table.ending.has(action.action) || table.asked.has(action.action)) useQuestion.getState().ask(instance.id, action.action);
            else {
              navigate(`/instances/${instance.name}`);
              void act(instance, action.action);
            }
          },
        })),
    );
    if (text === "") return [...matching, ...places].slice(0, MOST);
    // Two words are a verb and a name: then the verb comes first.
    const named = places.slice(0, 8);
    return (words.length > 1 ? [...actions, ...named, ...matching] : [...named, ...actions, ...matching]).slice(0, MOST);
  }, [text, found, screens, table, navigate]);
  return { commands, note: noteOf(commands.length, search) };
}

interface Found {
  instances: Instance[];
  fetching: boolean;
  error: Error | null;
}

/** The words that are not an action's name look for instances; the server knows those that are not loaded. */
function useFound(text: string): Found {
  const revision = useRevision(held);
  const name = text.split(/\s+/).at(-1) ?? "";
  const { fetchStatus, error } = useQuery({
    queryKey: ["palette", name],
    queryFn: async () => {
      const { data } = await instancesList({ query: { page_size: 10, q: name } });
      takeRecords(data.items);
      return data.items.length;
    },
    enabled: name !== "",
    staleTime: 5_000,
  });
  const instances = useMemo(() => {
    const living = [...held.values()].filter((one) => one.gone === null && one.record.name.includes(name));
    living.sort((a, b) => Number(b.record.name.startsWith(name)) - Number(a.record.name.startsWith(name)) || a.record.name.localeCompare(b.record.name));
    return living.slice(0, 20).map((one) => one.record);
    // The rows change in place: their revision says when to look again.
  }, [revision, name]);
  return { instances, fetching: fetchStatus !== "idle", error };
}

function useScreens(): Command[] {
  const [, navigate] = useLocation();
  const me = useMe();
  return useMemo(() => {
    const ui = useUi.getState();
    const go = (text: string, icon: string, href: string): Command => ({ id: href, text, note: "Go", icon, run: () => navigate(href) });
    const create: Command = { id: "new", text: "Create instance", note: "c", icon: "plus", run: ui.openCreate };
    const all = [
      create,
      go("Instances", "rows", "/instances"),
      go("Needs you", "warn", "/instances?needs_you=true"),
      go("Operations", "flow", "/operations"),
      go("Deployments", "stack", "/deployments"),
      go("History", "book", "/history"),
      go("Hosts and providers", "host", "/hosts"),
      go("Statistics", "chart", "/statistics"),
      go("Billing deliveries", "inbox", "/billing"),
      go("Audit", "list", "/audit"),
      go("Settings and tokens", "sliders", "/settings"),
      { id: "theme", text: "Switch theme", note: "", icon: "theme", run: () => ui.setTheme(shownTheme(useUi.getState().theme) === "dark" ? "light" : "dark") },
      { id: "help", text: "Keys and help", note: "?", icon: "book", run: ui.openHelp },
    ];
    return all.filter((command) => barred(me, command.id) === null && (command !== create || lack(me, "operate") === null));
  }, [navigate, me]);
}
