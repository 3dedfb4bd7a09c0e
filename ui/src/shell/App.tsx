/** Sign-in, the frame of every screen, and which screen a path shows. Screens load when they are first wanted. */

import { lazy, Suspense, useEffect, useState } from "react";
import { Redirect, Route, Switch, useLocation } from "wouter";

import { exchangeLoginCode, followOtherTabs, takeLoginCode, useSession } from "@/api/session";
import { useSync } from "@/live/sync";
import { ErrorFence } from "@/parts/ErrorFence";
import { Announcer, Toasts } from "@/parts/Toasts";

import { Bar } from "./Bar";
import { LinkBanner } from "./LinkBanner";
import { Login } from "./Login";
import { Shortcuts } from "./Shortcuts";

const InstancesScreen = lazy(() => import("@/screens/instances/InstancesScreen"));
const InstanceScreen = lazy(() => import("@/screens/instance/InstanceScreen"));
const OperationsScreen = lazy(() => import("@/screens/operations/OperationsScreen"));
const OperationScreen = lazy(() => import("@/screens/operations/OperationScreen"));
const DeploymentsScreen = lazy(() => import("@/screens/deployments/DeploymentsScreen"));
const EditorScreen = lazy(() => import("@/screens/deployments/EditorScreen"));
const HistoryScreen = lazy(() => import("@/screens/history/HistoryScreen"));
const RunScreen = lazy(() => import("@/screens/history/RunScreen"));
const HostsScreen = lazy(() => import("@/screens/hosts/HostsScreen"));
const StatisticsScreen = lazy(() => import("@/screens/statistics/StatisticsScreen"));
const BillingScreen = lazy(() => import("@/screens/billing/BillingScreen"));
const AuditScreen = lazy(() => import("@/screens/audit/AuditScreen"));
const SettingsScreen = lazy(() => import("@/screens/settings/SettingsScreen"));
const NotFound = lazy(() => import("./NotFound"));

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
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Bar />
      <LinkBanner />
      <Screens />
      <Shortcuts />
      <Toasts />
      <Announcer />
    </>
  );
}

function Screens() {
  const [location] = useLocation();
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
            <Route path="/instances" component={InstancesScreen} />
            <Route path="/instances/:key" component={InstanceScreen} />
            <Route path="/operations" component={OperationsScreen} />
            <Route path="/operations/:id" component={OperationScreen} />
            <Route path="/deployments" component={DeploymentsScreen} />
            <Route path="/deployments/:key" component={EditorScreen} />
            <Route path="/history" component={HistoryScreen} />
            <Route path="/history/:id" component={RunScreen} />
            <Route path="/hosts" component={HostsScreen} />
            <Route path="/statistics" component={StatisticsScreen} />
            <Route path="/billing" component={BillingScreen} />
            <Route path="/audit" component={AuditScreen} />
            <Route path="/settings" component={SettingsScreen} />
            <Route component={NotFound} />
          </Switch>
        </Suspense>
      </ErrorFence>
    </main>
  );
}
