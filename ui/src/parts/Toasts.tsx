/** Answers that the screen cannot show in place, and what is read out. */

import { Link } from "wouter";

import { useAnnouncement } from "@/lib/announce";
import { type Toast, useToasts } from "@/lib/toasts";

import { Button } from "./Button";
import { Icon } from "./Icon";

const TONES = {
  refused: { hue: "red", icon: "x", role: "alert" },
  unsure: { hue: "amber", icon: "unknown", role: "status" },
  done: { hue: "emerald", icon: "check", role: "status" },
} as const;

export function Toasts() {
  const { shown, dismiss } = useToasts();
  return (
    <section className="toasts" aria-label="Answers">
      {shown.map((toast) => (
        <ToastCard key={toast.id} toast={toast} onClose={() => dismiss(toast.id)} />
      ))}
    </section>
  );
}

function ToastCard({ toast, onClose }: { toast: Toast; onClose: () => void }) {
  const tone = TONES[toast.tone];
  return (
    <div className="toast" role={tone.role} data-hue={tone.hue}>
      <Icon name={tone.icon} />
      <b>{toast.title}</b>
      <Button kind="quiet" size="sm" icon="x" label="Dismiss" onClick={onClose} />
      <p>{toast.detail}</p>
      {toast.link && (
        <div className="actions">
          <Link className="btn" data-size="sm" href={toast.link.href} onClick={onClose}>
            {toast.link.text}
          </Link>
        </div>
      )}
    </div>
  );
}

export function Announcer() {
  const text = useAnnouncement((state) => state.text);
  return (
    <p className="sr" role="status" aria-live="polite">
      {text}
    </p>
  );
}
