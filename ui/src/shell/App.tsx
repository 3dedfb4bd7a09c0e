/** Sign-in, and the frame of every screen. */

import { Fragment, Suspense, useEffect, useState } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";

import { exchangeLoginCode, followOtherTabs, takeLoginCode, useSession } from "@/api/session";
import { useLater } from "@/lib/later";
import { useSync } from "@/live/sync";
import { ErrorFence } from "@/parts/ErrorFence";
import { Announcer, Toasts } from "@/parts/Toasts";

import { Bar } from "./Bar";
import { useFocusKept, useFocusOnArrival } from "./focus";
import { LinkBanner } from "./LinkBanner";
import { Login } from "./Login";
import { fetchNext, NotFound, SCREENS } from "./screens";
import { Shortcuts } from "./Shortcuts";

/** A code in the fragment signs in by itself; anything else asks. */
function useLoginCode(): "none" | "trying" | "failed" {
  const [code] = useState(takeLoginCode);
  const [state, setState] = useState<"none" | "trying" | "failed">(code === null ? "none" : "trying");
  useEffect(() => {
    if (code === null) return;
    exchangeLoginCode(code)
      .then((token) => {
        if (token !== null) useSession.getState().signIn(token);
        setState(token === null ? "failed" : "none");
      })
      .catch(() => setState("failed"));
  }, [code]);
  return state;
}

export function App() {
  const token = useSession((session) => session.token);
  const code = useLoginCode();
  useSync();
  useEffect(followOtherTabs, []);
  if (code === "trying") return <main className="p-8 text-ink-3">Signing in…</main>;
  if (token === null) return <Login codeFailed={code === "failed"} />;
  return (
    // Nothing that one person has opened or typed is left for the next.
    <Fragment key={token}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Bar />
      <LinkBanner />
      <Screens />
      <Shortcuts />
      <Toasts />
      <Announcer />
    </Fragment>
  );
}

/** So long the page has been of use before it fetches what may be wanted next. */
const NEXT_AFTER_MS = 2_000;

function Screens() {
  const [location] = useLocation();
  const later = useLater();
  useFocusKept();
  useFocusOnArrival(location);
  useEffect(() => {
    if (!later) return undefined;
    const waiting = setTimeout(fetchNext, NEXT_AFTER_MS);
    return () => clearTimeout(waiting);
  }, [later]);
  return (
    <main id="main" tabIndex={-1}>
      <ErrorFence key={location.split("/")[1] ?? ""}>
        <Suspense fallback={<div className="min-h-96" aria-busy="true" />}>
          <Switch>
            <Route path="/">
              <Redirect to="/instances" replace />
            </Route>
            <Route path="/login">
              <Redirect to="/instances" replace />
            </Route>
            {Object.entries(SCREENS).map(([path, screen]) => (
              <Route key={path} path={path} component={screen.Show} />
            ))}
            <Route component={NotFound.Show} />
          </Switch>
        </Suspense>
      </ErrorFence>
    </main>
  );
}
