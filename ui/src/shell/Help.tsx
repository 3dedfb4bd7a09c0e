/** The keys, and where to read more. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";

import { useUi } from "@/lib/ui";
import { Button } from "@/parts/Button";

const KEYS: [keys: string[], does: string][] = [
  [["Ctrl K", "⌘K"], "Jump to anything"],
  [["/"], "Search this screen"],
  [["c"], "Create an instance"],
  [["j", "k"], "Next row, previous row"],
  [["x"], "Pick the row"],
  [["Enter"], "Open the row"],
  [["."], "Actions of the row"],
  [["Esc"], "Let go of the selection"],
  [["g i", "g o", "g d", "g h", "g m", "g s"], "Go to instances, operations, deployments, history, hosts, statistics"],
  [["?"], "This page"],
];

export default function Help() {
  const { close, letters, setLetters } = useUi();
  return (
    <Dialog open onClose={close} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">Keys</DialogTitle>
          <dl className="keys">
            {KEYS.map(([keys, does]) => (
              <div key={does}>
                <dt>
                  {keys.map((key) => (
                    <kbd key={key} data-show="">
                      {key}
                    </kbd>
                  ))}
                </dt>
                <dd>{does}</dd>
              </div>
            ))}
          </dl>
          <p className="muted">No single key stops or ends anything. Everything here works from the command line too: berth --help.</p>
          <div className="actions split-ends">
            <label className="switch">
              <input type="checkbox" checked={letters} onChange={() => setLetters(!letters)} />
              Letters are keys
            </label>
            <Button onClick={close} data-autofocus="">
              Close
            </Button>
          </div>
        </DialogPanel>
      </div>
    </Dialog>
  );
}
