/** What can be done with an instance: exactly what the server allows, with its labels and its reasons. */

import { Menu, MenuButton, MenuItem, MenuItems } from "@headlessui/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";

import type { Action, Instance } from "@/api/client";
import { useLifecycle } from "@/lib/lifecycle";
import { leadsToEditor } from "@/lib/look";
import { useQuestion } from "@/lib/question";
import type { ParamsSchema } from "@/lib/schema";
import { act } from "@/live/act";
import { useAsk, useBehind } from "@/live/store";

import { Button } from "./Button";
import { Icon } from "./Icon";

export interface Choice extends Action {
  /** Cannot be undone: asked again, red, apart. */
  ending: boolean;
  /** What it may be told first. */
  asked: ParamsSchema | undefined;
  /** Leads somewhere before anything happens. */
  more: boolean;
}

export function useChoicesOf(): (instance: Instance) => Choice[] {
  const table = useLifecycle();
  return (instance) =>
    instance.allowed_actions.map((action) => {
      const ending = table.ending.has(action.action);
      const asked = table.asked.get(action.action);
      return { ...action, ending, asked, more: ending || asked !== undefined || leadsToEditor(action.action) };
    });
}

export function useChoices(instance: Instance): Choice[] {
  return useChoicesOf()(instance);
}

/** A click: done at once, or first to the editor or a question. */
export function useRun(): (instance: Instance, choice: Choice) => void {
  const [, navigate] = useLocation();
  return (instance, choice) => {
    if (leadsToEditor(choice.action)) navigate(`/deployments/${instance.deployment_name}`);
    else if (choice.more) useQuestion.getState().ask(instance.id, choice.action);
    else void act(instance, choice.action);
  };
}

export interface Doing {
  run: (choice: Choice) => void;
  /** What stands in the way of every button just now. */
  reason: (choice: Choice) => string | null;
  busy: (choice: Choice) => boolean;
}

export function useDoing(instance: Instance): Doing {
  const run = useRun();
  const ask = useAsk(instance.id);
  const behind = useBehind(instance.id);
  const reason = (choice: Choice): string | null => {
    if (!choice.enabled) return choice.reason ?? "Not possible now";
    if (ask !== undefined && ask.phase === "sent") return `${ask.label} was asked and is not answered yet`;
    return behind ? "It has just changed; one moment" : null;
  };
  return { run: (choice) => run(instance, choice), reason, busy: (choice) => ask?.action === choice.action && ask.phase === "sent" };
}

/** The buttons of a header. `without` are those that the page shows elsewhere already. */
export function ActionButtons({ instance, without = [] }: { instance: Instance; without?: readonly string[] }) {
  const { run, reason, busy } = useDoing(instance);
  const choices = useChoices(instance);
  const shown = choices.filter((choice) => choice.button && !without.includes(choice.action));
  const rest = choices.filter((choice) => !choice.button && choice.enabled && !without.includes(choice.action));
  const ordered = [...shown.filter((choice) => !choice.ending), ...shown.filter((choice) => choice.ending)];
  return (
    <div className="actions" role="group" aria-label="Actions" tabIndex={-1} data-home="">
      {ordered.map((choice) => (
        <Button
          key={choice.action}
          {...(choice.ending ? { kind: "danger" as const } : {})}
          reason={busy(choice) ? null : reason(choice)}
          busy={busy(choice)}
          onClick={() => run(choice)}
        >
          {choice.label}
          {choice.more && "…"}
        </Button>
      ))}
      {rest.length > 0 && <ActionMenu instance={instance} choices={rest} label="More actions" size="md" />}
    </div>
  );
}

/** A list has hundreds of these: the menu itself is made when it is first wanted. */
export function LazyActionMenu({ instance }: { instance: Instance }) {
  const [wanted, setWanted] = useState(false);
  const place = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!wanted) return;
    const button = place.current?.querySelector("button");
    button?.focus();
    button?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
  }, [wanted]);
  if (wanted) {
    return (
      <span ref={place}>
        <ActionMenu instance={instance} />
      </span>
    );
  }
  return (
    <button type="button" className="btn" data-kind="quiet" data-size="sm" data-icon="" data-menu="" aria-haspopup="menu" aria-expanded={false} aria-label={`Actions for ${instance.name}`} onClick={() => setWanted(true)}>
      <Icon name="more" />
    </button>
  );
}

interface ActionMenuProps {
  instance: Instance;
  choices?: readonly Choice[];
  label?: string;
  size?: "sm" | "md";
}

/** Everything that the table knows for this instance; what is not possible stays visible and says why. */
export function ActionMenu({ instance, choices, label, size = "sm" }: ActionMenuProps) {
  const { run, reason } = useDoing(instance);
  const all = useChoices(instance);
  const listed = (choices ?? all).filter((choice) => choices !== undefined || choice.button || choice.enabled);
  const items = listed.map((choice): MenuWay => ({
    key: choice.action,
    text: choice.more ? `${choice.label}…` : choice.label,
    ending: choice.ending,
    reason: reason(choice),
    run: () => run(choice),
  }));
  return <WaysMenu items={items} label={label ?? `Actions for ${instance.name}`} size={size} />;
}

export interface MenuWay {
  key: string;
  text: string;
  ending: boolean;
  reason: string | null;
  run: () => void;
}

/** Behind the dots: what can be done, and below a line what ends something. */
export function WaysMenu({ items, label, size = "sm", children }: { items: readonly MenuWay[]; label: string; size?: "sm" | "md"; children?: ReactNode }) {
  const safe = items.filter((item) => !item.ending);
  const endings = items.filter((item) => item.ending);
  return (
    <Menu>
      <MenuButton className="btn" data-kind="quiet" data-size={size === "sm" ? "sm" : undefined} data-icon="" data-menu="" aria-label={label}>
        <Icon name="more" />
      </MenuButton>
      <MenuItems className="menu-items" anchor={{ to: "bottom end", gap: 4, padding: 8 }}>
        {safe.map((item) => (
          <WayItem key={item.key} item={item} />
        ))}
        {children}
        {safe.length > 0 && endings.length > 0 && <div className="rule" role="separator" />}
        {endings.map((item) => (
          <WayItem key={item.key} item={item} />
        ))}
      </MenuItems>
    </Menu>
  );
}

function WayItem({ item: { text, ending, reason, run } }: { item: MenuWay }) {
  return (
    <MenuItem>
      <button
        type="button"
        className={ending ? "danger" : undefined}
        aria-disabled={reason !== null || undefined}
        onClick={(event) => {
          if (reason !== null) event.preventDefault();
          else run();
        }}
      >
        <span>{text}</span>
        {reason !== null && <small>{reason}</small>}
      </button>
    </MenuItem>
  );
}
