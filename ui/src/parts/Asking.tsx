/** The open question about one instance, with what the table allows by now: it may change while somebody reads. */

import { useEffect } from "react";

import type { Instance } from "@/api/client";
import { useQuestion } from "@/lib/question";
import { act } from "@/live/act";
import { useHeld } from "@/live/store";

import { useChoices, useDoing } from "./Actions";
import { AskDialog } from "./AskDialog";
import { EndDialog } from "./EndDialog";

export function Asking() {
  const { asked, close } = useQuestion();
  const held = useHeld(asked?.instanceId ?? "");
  const over = held === undefined || held.gone !== null;
  useEffect(() => {
    if (over) close();
  }, [over, close]);
  return asked === null || over ? null : <Dialog instance={held.record} action={asked.action} onClose={close} />;
}

function Dialog({ instance, action, onClose }: { instance: Instance; action: string; onClose: () => void }) {
  const choice = useChoices(instance).find((one) => one.action === action);
  const doing = useDoing(instance);
  if (choice === undefined) return null;
  const shared = { choice, reason: doing.reason(choice), onClose };
  return choice.ending ? (
    <EndDialog {...shared} instances={[instance]} onSure={() => void act(instance, action)} />
  ) : (
    <AskDialog {...shared} name={instance.name} onSure={(params) => void act(instance, action, params ? { params } : {})} />
  );
}
