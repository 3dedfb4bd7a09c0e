/** What became of one request for many: a line each, the refused ones first. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";

import { tell } from "@/api/problems";

import { Button } from "./Button";
import { Icon, Spinner } from "./Icon";

export interface ResultRow {
  id: string;
  name: string;
  error: unknown;
}

export function BatchResults({ label, rows, onClose }: { label: string; rows: readonly ResultRow[]; onClose: () => void }) {
  const refused = rows.filter((row) => row.error !== null).length;
  return (
    <Dialog open onClose={onClose} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">
            {label} of {rows.length}: {rows.length - refused} under way, {refused} refused
          </DialogTitle>
          <ul className="effects scroll">
            {[...rows].sort((a, b) => Number(b.error !== null) - Number(a.error !== null)).map((row) => (
              <li key={row.id}>
                {row.error === null ? <Spinner /> : <Icon name="x" />}
                <span>
                  {row.name}, {row.error === null ? <span className="muted">under way</span> : <span className="fault-text">{tell(row.error).detail}</span>}
                </span>
              </li>
            ))}
          </ul>
          <div className="actions">
            <Button onClick={onClose} data-autofocus="">
              Close
            </Button>
          </div>
        </DialogPanel>
      </div>
    </Dialog>
  );
}
