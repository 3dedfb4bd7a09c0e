/** What did not go as asked, in words: refused where the server said no, and never where it said nothing. */

import { mayHaveHappened, NotOurs, Refusal, tell } from "@/api/problems";
import { say } from "@/lib/toasts";

interface Asked {
  /** Under which it is said, in place of what was said before. */
  id: string;
  /** What was asked, as its button calls it. */
  label: string;
  /** Of whom it was asked, as the screen calls them. */
  whom: string;
}

export function sayFailure({ id, label, whom }: Asked, error: unknown): void {
  if (error instanceof NotOurs) return;
  if (mayHaveHappened(error)) {
    say({ id, tone: "unsure", title: `No answer to ${label}`, detail: `It may or may not have been accepted. The page of ${whom} shows which, once Berth answers.` });
    return;
  }
  const { title, detail, help } = tell(error);
  const holder = error instanceof Refusal ? error.problem.operation : null;
  // The toast is an alert: it is read out by itself.
  say({
    id,
    tone: "refused",
    title: `${label} was refused: ${title.charAt(0).toLowerCase()}${title.slice(1)}`,
    detail: [detail, help].filter(Boolean).join(" "),
    ...(holder ? { link: { href: `/instances/${whom}`, text: "View what holds it" } } : {}),
  });
}

const NAMED = 3;

function few(names: readonly string[]): string {
  const more = names.length - NAMED;
  const said = more > 0 ? [...names.slice(0, NAMED), `${more} more`] : names;
  return said.length < 2 ? (said[0] ?? "") : `${said.slice(0, -1).join(", ")} and ${said.at(-1)}`;
}

/** What the server itself said of it, where it said anything. */
export function whyUnknown(error: unknown): string {
  if (!(error instanceof Refusal)) return "Berth did not answer.";
  const { title, detail } = error.problem;
  return [title, detail].filter(Boolean).map((said) => `${said.replace(/\.$/, "")}.`).join(" ");
}

/** Nobody said that it was accepted, and these are as they were. */
export function sayMissed(id: string, label: string, { names, why }: { names: readonly string[]; why: string }): void {
  const are = names.length === 1 ? "is as it was" : "are as they were";
  say({ id, tone: "unsure", title: `${label} did not arrive`, detail: `${why} ${few(names)} ${are}. Ask again if you still want it.` });
}
