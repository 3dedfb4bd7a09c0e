/** What an operation wants to be told before it is sent: fields from its schema, and nothing sent that was not said. */

import { Dialog, DialogBackdrop, DialogPanel, DialogTitle } from "@headlessui/react";
import { useState } from "react";

import type { Action } from "@/api/client";
import { complaint, fieldsOf, type ParamsSchema, valueOf } from "@/lib/schema";

import { Button } from "./Button";
import { SchemaField } from "./Fields";

interface AskDialogProps {
  name: string;
  choice: Pick<Action, "label"> & { asked: ParamsSchema | undefined };
  /** Why it cannot be asked for any more. */
  reason: string | null;
  onClose: () => void;
  onSure: (params: Record<string, unknown> | null) => void;
}

export function AskDialog({ name, choice, reason, onClose, onSure }: AskDialogProps) {
  const [texts, setTexts] = useState<Record<string, string>>({});
  const [tried, setTried] = useState(false);
  const fields = fieldsOf(choice.asked);
  const wrong = fields.some((field) => complaint(field, texts[field.name] ?? "") !== null);
  const params = Object.fromEntries(fields.map((field) => [field.name, valueOf(field, texts[field.name] ?? "")] as const).filter(([, value]) => value !== undefined));
  return (
    <Dialog open onClose={onClose} className="overlay">
      <DialogBackdrop className="backdrop" />
      <div className="overlay-frame">
        <DialogPanel className="dialog">
          <DialogTitle as="h2">
            {choice.label} {name}
          </DialogTitle>
          <form
            className="form"
            noValidate
            onSubmit={(event) => {
              event.preventDefault();
              setTried(true);
              if (wrong || reason !== null) return;
              onSure(Object.keys(params).length > 0 ? params : null);
              onClose();
            }}
          >
            <div className="form-rows">
              {fields.map((field, index) => (
                <SchemaField
                  key={field.name}
                  field={field}
                  label={field.title}
                  autoFocus={index === 0}
                  text={texts[field.name] ?? ""}
                  error={tried ? complaint(field, texts[field.name] ?? "") : null}
                  onChange={(text) => setTexts({ ...texts, [field.name]: text })}
                />
              ))}
            </div>
            <p className="late" role="status">
              {reason}
            </p>
            <div className="actions mt-4">
              <Button onClick={onClose}>Not now</Button>
              <button type="submit" className="btn" data-kind="primary" aria-disabled={reason !== null || undefined}>
                {choice.label}
              </button>
            </div>
          </form>
        </DialogPanel>
      </div>
    </Dialog>
  );
}
