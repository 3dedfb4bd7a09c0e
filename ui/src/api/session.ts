/** Who this browser is to Berth: the bearer token, kept per origin and sent only as a header (never a cookie). */

import { create } from "zustand";

const KEY = "berth.token";

interface Session {
  token: string | null;
  /** Why the person is asked to sign in again, if a token was refused. */
  refused: boolean;
  signIn(token: string): void;
  signOut(refused?: boolean): void;
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(token: string | null): void {
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // A browser that keeps nothing asks again at the next visit.
  }
}

export const useSession = create<Session>((set) => ({
  token: stored(),
  refused: false,
  signIn(token) {
    keep(token);
    set({ token, refused: false });
  },
  signOut(refused = false) {
    keep(null);
    set({ token: null, refused });
  },
}));

/** The person leaves: this browser forgets the token, and its session opens nothing any more. */
export function leave(): void {
  const { token, signOut } = useSession.getState();
  signOut();
  if (token === null) return;
  // Where nobody answers the session ends by its own time.
  fetch("/api/v1/me/session", { method: "DELETE", headers: { Authorization: `Bearer ${token}` }, keepalive: true }).catch(() => undefined);
}

/** Signing in or out in one tab does so in all of them. */
export function followOtherTabs(): () => void {
  const onStorage = (event: StorageEvent): void => {
    if (event.key !== null && event.key !== KEY) return;
    const token = stored();
    if (token !== useSession.getState().token) useSession.setState({ token, refused: false });
  };
  window.addEventListener("storage", onStorage);
  return () => window.removeEventListener("storage", onStorage);
}

/** The one-time code that `berth up` prints lies in the fragment, which never reaches a server or a log. */
export function takeLoginCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? new URLSearchParams(location.hash.slice(1)).get("otp");
  if (code !== null) history.replaceState(history.state, "", location.pathname + location.search);
  return code;
}

/** Exchange the one-time code for a token; null when the code is used up, too old, or nothing can exchange it. */
export async function exchangeLoginCode(code: string): Promise<string | null> {
  const response = await fetch("/api/v1/login-codes:exchange", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (!response.ok) return null;
  const answer: unknown = await response.json();
  if (typeof answer !== "object" || answer === null || !("token" in answer)) return null;
  return typeof answer.token === "string" ? answer.token : null;
}
