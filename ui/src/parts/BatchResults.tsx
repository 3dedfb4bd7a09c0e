/** What became of one request for many: a line each, the refused ones first, then those of which nobody knows. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";

import { mayHaveHappened, tell } from "@/api/problems";

import { Button } from "./Button";
import { Icon, Spinner } from "./Icon";

export interface ResultRow {
  id: string;
  name: string;
  error: unknown;
}

type Outcome = "refused" | "unknown" | "accepted";
const ORDER: readonly Outcome[] = ["refused", "unknown", "accepted"];

const outcomeOf = ({ error }: ResultRow): Outcome => (error === null ? "accepted" : mayHaveHappened(error) ? "unknown" : "refused");

function Became({ row }: { row: ResultRow }) {
  const outcome = outcomeOf(row);
  if (outcome === "accepted") return <span className="muted">under way</span>;
  if (outcome === "unknown") return <span>no answer, it may have been accepted</span>;
  return <span className="fault-text">{tell(row.error).detail}</span>;
}

const ICONS: Record<Outcome, React.ReactNode> = { refused: <Icon name="x" />, unknown: <Icon name="hourglass" />, accepted: <Spinner /> };

export function BatchResults({ label, rows, onClose }: { label: string; rows: readonly ResultRow[]; onClose: () => void }) {
  const count = (outcome: Outcome): number => rows.filter((row) => outcomeOf(row) === outcome).length;
  const unknown = count("unknown");
  return (
    <Dialog open onClose={onClose} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">
            {label} of {rows.length}: {count("accepted")} under way, {count("refused")} refused
            {unknown > 0 && `, ${unknown} without an answer`}
          </DialogTitle>
          <ul className="effects scroll">
            {[...rows].sort((a, b) => ORDER.indexOf(outcomeOf(a)) - ORDER.indexOf(outcomeOf(b))).map((row) => (
              <li key={row.id}>
                {ICONS[outcomeOf(row)]}
                <span>
                  {row.name}, <Became row={row} />
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
