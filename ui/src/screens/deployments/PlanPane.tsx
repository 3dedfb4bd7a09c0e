/** The consequence outranks the form: how many are touched, how hard, in which order, and what speaks against it. */

import type { Plan } from "@/api/client";
import { tell } from "@/api/problems";
import { disruptionLook } from "@/lib/look";
import { useLack } from "@/lib/me";
import { textOf } from "@/lib/schema";
import { Button } from "@/parts/Button";
import { Icon } from "@/parts/Icon";
import { Ago, Seconds } from "@/parts/Time";

import type { Drafting } from "./useDraft";
import type { Planning } from "./usePlan";

interface PlanPaneProps {
  planning: Planning;
  drafting: Drafting;
  version: number;
  /** The members that exist; one that does not exist yet is drawn dashed. */
  members: ReadonlySet<string>;
}

export function PlanPane({ planning, drafting, version, members }: PlanPaneProps) {
  const { plan, madeAt, old, busy } = planning;
  const nothing = drafting.changes.length === 0;
  const refused = useLack("operate");
  return (
    <>
      <header>
        <h2 id="plan">Plan</h2>
        {plan && madeAt !== null && (
          <span className={old ? "late" : "muted"}>
            {old ? "of an older draft" : <>made <Ago time={madeAt} /> ago against version {plan.base_version}</>}
          </span>
        )}
        {plan && (
          <Button kind="quiet" size="sm" busy={busy === "planning"} off={nothing} reason={refused} onClick={() => void planning.make()}>
            Plan again
          </Button>
        )}
      </header>
      {!drafting.behind && <PlanProblem problem={planning.problem} />}
      {plan === null ? (
        <NoPlan planning={planning} drafting={drafting} version={version} />
      ) : (
        <div className={old ? "stale" : undefined}>
          <Verdict plan={plan} />
          <Disruption plan={plan} />
          <Changes plan={plan} />
          <Radius plan={plan} members={members} />
          <Checks plan={plan} />
        </div>
      )}
      {plan !== null && <Apply planning={planning} plan={plan} behind={drafting.behind} />}
    </>
  );
}

function NoPlan({ planning, drafting, version }: Omit<PlanPaneProps, "members">) {
  const count = drafting.changes.length;
  const refused = useLack("operate");
  return (
    <div className="block">
      <p className="muted mb-4">
        {count === 0
          ? `The draft is what stands in version ${version}. Change something, then see here what it would do.`
          : "A plan says which instances would be touched, how, and in which order. Nothing happens before you apply it."}
      </p>
      <Button kind="primary" busy={planning.busy === "planning"} reason={refused ?? (count === 0 ? "Nothing is changed yet" : drafting.behind ? "Somebody was faster: first put your draft on what they saved, or take theirs" : null)} onClick={() => void planning.make()}>
        Plan {count > 0 && `${count} ${count === 1 ? "change" : "changes"}`}
      </Button>
    </div>
  );
}

function PlanProblem({ problem }: { problem: unknown }) {
  if (problem === null || problem === undefined) return null;
  const { title, detail, help } = tell(problem);
  return (
    <div className="banner mb-4" data-hue="red" role="alert">
      <Icon name="warn" />
      <span>
        <b>{title}.</b> {detail} {help}
      </span>
    </div>
  );
}

const COUNTS: [keyof Plan["counts"], string][] = [
  ["created", "created"],
  ["changed_in_place", "changed in place"],
  ["restarted", "restarted"],
  ["replaced", "replaced"],
  ["deleted", "deleted"],
];

function Verdict({ plan }: { plan: Plan }) {
  return (
    <div className="verdict">
      {COUNTS.map(([key, text]) => (
        <div key={key} data-zero={plan.counts[key] === 0 ? "" : undefined}>
          <b>{String(plan.counts[key])}</b>
          <span>{text}</span>
        </div>
      ))}
    </div>
  );
}

function Disruption({ plan }: { plan: Plan }) {
  const look = disruptionLook(plan.disruption);
  return (
    <div className="block">
      <h3>
        Disruption{" "}
        <span className="status" data-hue={look?.hue ?? "zinc"} data-voice="held">
          <Icon name={look?.icon ?? "unknown"} />
          {look?.text ?? plan.disruption}
        </span>
      </h3>
      {look && <p>{look.says}</p>}
    </div>
  );
}

function pathOf(pointer: string): string {
  return pointer.split("/").filter(Boolean).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~")).join(".");
}

function Changes({ plan }: { plan: Plan }) {
  if (plan.changes.length === 0) return null;
  return (
    <div className="block">
      <h3>Changes</h3>
      <table className="diff">
        <caption className="sr">Fields that change</caption>
        <tbody>
          {plan.changes.map((change) => (
            <tr key={change.path}>
              <th scope="row">{pathOf(change.path)}</th>
              <td>
                <del>{textOf(change.from) || "not set"}</del> <ins>{textOf(change.to) || "not set"}</ins>
              </td>
              <td className="cost">{change.effect === "none" ? "nothing stops" : change.effect}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Radius({ plan, members }: { plan: Plan; members: ReadonlySet<string> }) {
  if (plan.steps.length === 0) return null;
  return (
    <div className="block">
      <h3>Blast radius, in order</h3>
      <ol className="order">
        {plan.steps.map((step) => (
          <li key={`${step.order}-${step.instance}`}>
            <span>
              <span className="slot" data-new={members.has(step.instance) ? undefined : ""}>
                {step.instance}
              </span>
              {step.does}
            </span>
            {typeof step.usual_seconds === "number" && <Seconds of={step.usual_seconds} />}
          </li>
        ))}
      </ol>
    </div>
  );
}

function Checks({ plan }: { plan: Plan }) {
  if (plan.checks.length === 0) return null;
  return (
    <div className="block">
      <h3>Checks</h3>
      <ul className="checks">
        {plan.checks.map((check) => (
          <li key={check.text} data-warn={check.level === "warning" ? "" : undefined} data-blocker={check.level === "blocker" ? "" : undefined}>
            <Icon name={check.level === "ok" ? "check" : check.level === "blocker" ? "x" : "warn"} />
            <span>{check.text}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Apply({ planning, plan, behind }: { planning: Planning; plan: Plan; behind: boolean }) {
  const touched = new Set(plan.steps.map((step) => step.instance)).size;
  const refused = useLack("operate");
  const blocked = plan.checks.some((check) => check.level === "blocker");
  const reason = refused ?? (behind ? "Somebody was faster; see above" : planning.old ? "The draft has changed since; plan again" : blocked ? "A check speaks against it" : null);
  const seconds = plan.steps.reduce((sum, step) => sum + (step.usual_seconds ?? 0), 0);
  return (
    <div className="apply">
      <Button kind="primary" busy={planning.busy === "applying"} reason={reason} onClick={() => void planning.apply()}>
        {touched === 0 ? "Apply" : `Apply to ${touched} ${touched === 1 ? "instance" : "instances"}`}
      </Button>
      <p>
        {seconds > 0 && (
          <>
            About <Seconds of={seconds} />.{" "}
          </>
        )}
        {reason ?? "If someone changes it first, nothing is applied and you see both versions."}
      </p>
    </div>
  );
}
