/** Which screen a path shows. Each has its own code, fetched when it is first wanted or when there is time. */

import { type ComponentType, lazy, useState } from "react";

type Loaded = { default: ComponentType };

interface Screen {
  Show: ComponentType;
  fetch: () => Promise<Loaded>;
}

/** Drawn at once where its code is here: once React has shown a fallback, it keeps that for 300 ms. */
function screen(load: () => Promise<Loaded>): Screen {
  let here: ComponentType | null = null;
  const fetch = async (): Promise<Loaded> => {
    const loaded = await load();
    here = loaded.default;
    return loaded;
  };
  const Awaited = lazy(fetch);
  const Show = () => {
    const [Shown] = useState<ComponentType>(() => here ?? Awaited);
    return <Shown />;
  };
  return { Show, fetch };
}

export const SCREENS: Readonly<Record<string, Screen>> = {
  "/instances": screen(() => import("@/screens/instances/InstancesScreen")),
  "/instances/:key": screen(() => import("@/screens/instance/InstanceScreen")),
  "/operations": screen(() => import("@/screens/operations/OperationsScreen")),
  "/operations/:id": screen(() => import("@/screens/operations/OperationScreen")),
  "/deployments": screen(() => import("@/screens/deployments/DeploymentsScreen")),
  "/deployments/:key": screen(() => import("@/screens/deployments/EditorScreen")),
  "/history": screen(() => import("@/screens/history/HistoryScreen")),
  "/history/:id": screen(() => import("@/screens/history/RunScreen")),
  "/hosts": screen(() => import("@/screens/hosts/HostsScreen")),
  "/statistics": screen(() => import("@/screens/statistics/StatisticsScreen")),
  "/billing": screen(() => import("@/screens/billing/BillingScreen")),
  "/audit": screen(() => import("@/screens/audit/AuditScreen")),
  "/settings": screen(() => import("@/screens/settings/SettingsScreen")),
};

export const NotFound = screen(() => import("./NotFound"));

/** Where people go from the list at night: these are there before they are asked for. */
const NEXT = ["/instances/:key", "/operations", "/operations/:id"];

/** The code of the screen that `path` (below the base) shows. What cannot be had says so where it is drawn. */
export async function fetchScreen(path: string): Promise<void> {
  const wanted = path === "/" ? "/instances" : path;
  const [, found] = Object.entries(SCREENS).find(([pattern]) => matches(pattern, wanted)) ?? [];
  await (found ?? NotFound).fetch().catch(() => undefined);
}

export function fetchNext(): void {
  for (const path of NEXT) void SCREENS[path]?.fetch().catch(() => undefined);
}

function matches(pattern: string, path: string): boolean {
  return new RegExp(`^${pattern.replace(/:\w+/g, "[^/]+")}/?$`).test(path);
}
