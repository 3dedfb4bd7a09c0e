/** Form fields from a schema: each with its hint, its complaint, and what it was before a draft changed it. */

import { type ReactNode, useId } from "react";

import { disruptionLook } from "@/lib/look";
import { complaint, type Field, textOf } from "@/lib/schema";
import { absolute } from "@/lib/time";

import { Icon } from "./Icon";

interface FieldRowProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
  /** A draft: what stood there before. */
  was?: string | null;
  children: (ids: { id: string; describedBy: string }) => ReactNode;
  icon?: string;
}

export function FieldRow({ label, hint, error, was, children, icon }: FieldRowProps) {
  const id = useId();
  const changed = was !== null && was !== undefined;
  return (
    <div className="form-row" data-changed={changed ? "" : undefined}>
      <label htmlFor={id}>{label}</label>
      <span className="field" data-wrong={error ? "" : undefined}>
        {children({ id, describedBy: `${id}-hint` })}
        {icon && <Icon name={icon} />}
      </span>
      <span className="hint" id={`${id}-hint`}>
        {error ? (
          <span className="fault-text" role="alert">
            {error}
          </span>
        ) : changed ? (
          `was ${was === "" ? "not set" : was}`
        ) : (
          hint
        )}
      </span>
    </div>
  );
}

interface SchemaFieldProps {
  field: Field;
  text: string;
  onChange: (text: string) => void;
  error?: string | null | undefined;
  was?: string | null;
  locked?: boolean;
  /** Where the field's own name is not what people call it. */
  label?: string;
  autoFocus?: boolean;
}

export function SchemaField({ field, text, onChange, error, was = null, locked = false, label = field.name, autoFocus = false }: SchemaFieldProps) {
  const own = text === "" ? null : complaint(field, text);
  const fallback = textOf(field.fallback);
  const hint = [locked ? "fixed for life" : field.description, !locked && field.disruption && disruptionLook(field.disruption)?.hint].filter(Boolean).join("; ");
  // All other times of the page are in UTC; what is typed here is in the browser's.
  const zone = field.kind === "time" ? ` Your local time${text === "" || own !== null ? "." : `: ${absolute(text)}.`}` : "";
  const select = field.kind === "choice" || field.kind === "boolean";
  return (
    <FieldRow label={label} hint={hint + zone} error={error ?? own} was={was} {...(select ? { icon: "down" } : {})}>
      {({ id, describedBy }) => {
        const shared = { id, "aria-describedby": describedBy, "aria-invalid": Boolean(error ?? own), disabled: locked, required: field.required, ...(autoFocus ? { "data-autofocus": "" } : {}) };
        if (select) {
          return (
            <select {...shared} value={text} onChange={(event) => onChange(event.target.value)}>
              {!field.required && <option value="">{fallback === "" ? "not set" : `${fallback} (default)`}</option>}
              {(field.kind === "boolean" ? ["true", "false"] : field.choices).map((choice) => (
                <option key={String(choice)} value={String(choice)}>
                  {String(choice)}
                </option>
              ))}
            </select>
          );
        }
        if (field.kind === "json") {
          return <textarea {...shared} rows={3} className="font-mono text-xs" spellCheck={false} placeholder={fallback || "JSON"} value={text} onChange={(event) => onChange(event.target.value)} />;
        }
        return (
          <input
            {...shared}
            type={field.kind === "secret" ? "password" : field.kind === "time" ? "datetime-local" : "text"}
            inputMode={field.kind === "number" ? "decimal" : undefined}
            autoComplete={field.kind === "secret" ? "new-password" : "off"}
            spellCheck={false}
            placeholder={fallback}
            value={text}
            onChange={(event) => onChange(event.target.value)}
          />
        );
      }}
    </FieldRow>
  );
}
