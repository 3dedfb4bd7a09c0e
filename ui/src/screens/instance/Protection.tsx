/** Deletion protection: a switch of the deployment, changed as any part of its specification, under its version. */

import { useState } from "react";

import { deploymentsModify, freshKey, type Instance } from "@/api/client";
import { tell } from "@/api/problems";
import { announce } from "@/lib/announce";
import { useLack } from "@/lib/me";
import { say } from "@/lib/toasts";
import { readInstance } from "@/live/queries";
import { Button } from "@/parts/Button";
import { EndDialog } from "@/parts/EndDialog";
import { Icon } from "@/parts/Icon";

export function Protection({ instance }: { instance: Instance }) {
  const refused = useLack("operate");
  const on = instance.deletion_protection;
  /** Only this keeps it: billing has cancelled it, and takes it as soon as this is off. */
  const last = on && instance.subscription === "cancelled";
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(false);
  const turn = async (): Promise<void> => {
    setBusy(true);
    try {
      await deploymentsModify({ path: { key: instance.deployment_id }, headers: { "Idempotency-Key": freshKey(), "If-Match": `"${instance.deployment_version}"` }, body: { deletion_protection: !on } });
      announce(`Deletion protection of ${instance.deployment_name} turned ${on ? "off" : "on"}`);
    } catch (error) {
      const { detail, help } = tell(error);
      say({ id: `protection-${instance.id}`, tone: "refused", title: "The protection was not changed", detail: [detail, help].filter(Boolean).join(" ") });
    }
    await readInstance(instance.id).catch(() => undefined);
    setBusy(false);
  };
  return (
    <div className="config-group">
      <h3>Deletion protection</h3>
      <p className="protection">
        <Icon name="lock" />
        <span>{last ? "On: billing cancelled the subscription, and only this keeps it. Turned off, it is deleted at once with its data." : on ? "On: it cannot be terminated before this is turned off." : "Off: whoever may terminate it can."}</span>
        <Button size="sm" busy={busy} reason={refused} aria-pressed={on} onClick={() => (last ? setAsked(true) : void turn())}>
          {on ? "Turn off" : "Turn on"}
        </Button>
      </p>
      {asked && (
        <EndDialog
          instances={[instance]}
          whole={{ name: instance.deployment_name, members: instance.spec.members }}
          choice={{ action: "unprotect", label: "Turn off protection and terminate" }}
          reason={last ? null : "Its subscription is not cancelled any more, or it is not protected."}
          onClose={() => setAsked(false)}
          onSure={() => void turn()}
        />
      )}
    </div>
  );
}
