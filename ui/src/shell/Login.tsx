/** Asks for the token, where no one-time code came with the address. It goes into a header, never into a cookie. */

import { type FormEvent, useId, useState } from "react";

import { useSession } from "@/api/session";
import { Icon } from "@/parts/Icon";
import { Command } from "@/parts/States";

async function answersTo(token: string): Promise<"yes" | "no" | "away"> {
  try {
    const response = await fetch("/api/v1/lifecycle", { headers: { Authorization: `Bearer ${token}` } });
    if (response.ok) return "yes";
    return response.status === 401 || response.status === 403 ? "no" : "away";
  } catch {
    return "away";
  }
}

const WORDS = {
  no: "Berth does not know this token. It may have been replaced.",
  away: "Berth does not answer. Check that it runs, then try again.",
};

export function Login({ codeFailed }: { codeFailed: boolean }) {
  const refused = useSession((session) => session.refused);
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState<"no" | "away" | null>(null);
  const told = useId();

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const wanted = token.trim();
    if (wanted === "" || busy) return;
    setBusy(true);
    const answer = await answersTo(wanted);
    setBusy(false);
    if (answer === "yes") useSession.getState().signIn(wanted);
    else setWrong(answer);
  };

  return (
    <main className="login">
      <h1>
        <Icon name="mark" />
        Berth
      </h1>
      {codeFailed && <p className="late">That sign-in link was used already or is too old. A new one comes with every start.</p>}
      {refused && !codeFailed && <p className="late">The token of this browser is no longer accepted.</p>}
      <form onSubmit={(event) => void submit(event)}>
        <label htmlFor="token">Token</label>
        <span className="field" data-wrong={wrong === null ? undefined : ""}>
          <input
            id="token"
            type="password"
            autoComplete="current-password"
            autoFocus
            spellCheck={false}
            value={token}
            aria-invalid={wrong !== null}
            aria-describedby={told}
            onChange={(event) => {
              setToken(event.target.value);
              setWrong(null);
            }}
          />
        </span>
        <button type="submit" className="btn" data-kind="primary" aria-busy={busy}>
          Sign in
        </button>
        <p id={told} role="alert" className="fault-text">
          {wrong !== null && WORDS[wrong]}
        </p>
      </form>
      <p className="muted">It is printed on the machine that runs Berth:</p>
      <Command text="berth token" />
    </main>
  );
}
