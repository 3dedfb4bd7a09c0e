/** What administrators do to a host: close it to new instances, open it again, take it off the books when it is gone. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle, Description } from "@headlessui/react";
import { useState } from "react";

import { hostsCordon, hostsRemove, hostsUncordon } from "@/api/client";
import { tell } from "@/api/problems";
import { announce } from "@/lib/announce";
import type { Host } from "@/lib/catalogue";
import { lack, useMe } from "@/lib/me";
import { say } from "@/lib/toasts";
import { keys, queryClient } from "@/live/queries";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";

export function HostActions({ host }: { host: Host }) {
  const me = useMe();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const missing = lack(me, "admin");
  const run = async (doing: () => Promise<unknown>, done: string): Promise<void> => {
    setBusy(true);
    try {
      await doing();
      announce(done);
    } catch (error) {
      const { title, detail } = tell(error);
      say({ id: `host-${host.id}`, tone: "refused", title: title || `${host.name} was not changed`, detail });
    }
    await queryClient.invalidateQueries({ queryKey: keys.hosts });
    setBusy(false);
  };
  const path = { key: host.id };
  const turn = (): Promise<void> =>
    host.cordoned ? run(() => hostsUncordon({ path }), `${host.name} takes new instances again`) : run(() => hostsCordon({ path }), `${host.name} takes no new instances`);
  return (
    <div className="do-cell" data-keep="">
      <Button size="sm" kind="quiet" busy={busy} reason={missing} aria-label={`${host.cordoned ? "Uncordon" : "Cordon"} ${host.name}`} onClick={() => void turn()}>
        {host.cordoned ? "Uncordon" : "Cordon"}
      </Button>
      <Button size="sm" kind="danger" reason={missing ?? (host.silent ? null : `${host.name} speaks: stop its worker first`)} aria-label={`Remove ${host.name}`} onClick={() => setAsking(true)}>
        Remove
      </Button>
      {asking && (
        <RemoveDialog
          host={host}
          onClose={() => setAsking(false)}
          onSure={() => void run(() => hostsRemove({ path, query: { force: host.instances > 0 } }), `${host.name} is removed`)}
        />
      )}
    </div>
  );
}

/** Instances on it make it a matter of force: they stay without a host until they are forgotten. */
function RemoveDialog({ host, onClose, onSure }: { host: Host; onClose: () => void; onSure: () => void }) {
  const [typed, setTyped] = useState("");
  const holds = host.instances > 0;
  const sure = !holds || typed.trim() === host.name;
  return (
    <Dialog open onClose={onClose} role="alertdialog" className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">Remove {host.name}?</DialogTitle>
          <Description as="div">
            <ul className="effects">
              <li>
                <Icon name="bin" />
                <span>Berth forgets the host; a worker that starts there registers it anew</span>
              </li>
              {holds && (
                <li>
                  <Icon name="warn" />
                  <span>
                    {host.instances === 1 ? "1 instance is" : `${host.instances} instances are`} left without a host: all that can be done with {host.instances === 1 ? "it" : "them"} is Forget
                  </span>
                </li>
              )}
            </ul>
          </Description>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!sure) return;
              onSure();
              onClose();
            }}
          >
            {holds && (
              <label className="field">
                <span className="sr">Type {host.name} to remove it</span>
                <input placeholder={`Type ${host.name}`} value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
              </label>
            )}
            <div className="actions mt-4">
              <Button onClick={onClose} data-autofocus="">
                Keep it
              </Button>
              <button type="submit" className="btn" data-kind="danger" aria-disabled={!sure || undefined}>
                Remove {host.name}
              </button>
            </div>
          </form>
        </DialogPanel>
      </div>
    </Dialog>
  );
}
