/** Before something ends: what goes, what stays. Focus starts on the way out; nothing is typed unless data goes with it. */

import { Description, Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";
import { useState } from "react";

import type { Action, Instance } from "@/api/client";

import { Button } from "./Button";
import { Icon } from "./Icon";

interface EndDialogProps {
  instances: readonly Instance[];
  choice: Pick<Action, "action" | "label">;
  /** The deployment that ends whole, where it is not `instances` alone. */
  whole?: { name: string; members: number };
  /** Why it cannot be asked for any more. */
  reason?: string | null;
  onClose: () => void;
  onSure: () => void;
}

export function EndDialog({ instances, choice, whole, reason = null, onClose, onSure }: EndDialogProps) {
  const [typed, setTyped] = useState("");
  const [one] = instances;
  if (one === undefined) return null;
  const alone = instances.length === 1;
  const name = whole?.name ?? one.name;
  const what = alone ? name : `${instances.length} instances`;
  const word = alone ? name : String(instances.length);
  const sure = typed.trim() === word && reason === null;
  return (
    <Dialog open onClose={onClose} role="alertdialog" className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">
            {choice.label} {what}?
          </DialogTitle>
          <Description as="div">
            <Effects instances={instances} whole={whole} />
          </Description>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              if (!sure) return;
              onSure();
              onClose();
            }}
          >
            <label className="field">
              <span className="sr">
                Type {word} to {choice.label.toLowerCase()}
              </span>
              <input placeholder={`Type ${word}`} value={typed} autoComplete="off" spellCheck={false} onChange={(event) => setTyped(event.target.value)} />
            </label>
            <p className="late" role="status">
              {reason}
            </p>
            <div className="actions mt-4">
              <Button onClick={onClose} data-autofocus="">
                Keep {alone ? "it" : "them"}
              </Button>
              <button type="submit" className="btn" data-kind="danger" aria-disabled={!sure || undefined}>
                {choice.label} {what}
              </button>
            </div>
          </form>
        </DialogPanel>
      </div>
    </Dialog>
  );
}

const MOST_NAMED = 6;

function Effects({ instances, whole }: Pick<EndDialogProps, "instances" | "whole">) {
  const others = whole ? [] : instances.filter((one) => one.spec.members > 1);
  const named = whole ? [whole.members > 1 ? `All ${whole.members} members of ${whole.name}` : whole.name] : instances.slice(0, MOST_NAMED).map((one) => one.name);
  const left = whole ? 0 : instances.length - named.length;
  return (
    <ul className="effects">
      <li>
        <Icon name="bin" />
        <span>
          {named.join(", ")}
          {left > 0 && ` and ${left} more`}: what runs at the provider ends, and its data and secrets go with it
        </span>
      </li>
      {others.length > 0 && (
        <li>
          <Icon name="stack" />
          <span>The other members of {[...new Set(others.map((one) => one.deployment_name))].join(", ")} go on</span>
        </li>
      )}
      <li>
        <Icon name="check" />
        <span>The record of its life stays in History</span>
      </li>
    </ul>
  );
}
