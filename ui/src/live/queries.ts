/** What is read from the server, under which key, and how often when nothing tells us. */

import { QueryClient } from "@tanstack/react-query";

import { type Instance, instancesGet, operationsGet, operationsList, type OperationForm } from "@/api/client";
import { Refusal, worthRetrying } from "@/api/problems";
import { OPEN_RESULTS } from "@/lib/look";

import { idOf, markGone, takeOperations, takeRecords, useLink } from "./store";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) => worthRetrying(error) && count < 2,
      retryDelay: (count) => Math.min(4000, 500 * 2 ** count),
      refetchOnWindowFocus: true,
    },
  },
});

export const keys = {
  instances: ["instances"] as const,
  fleet: ["fleet"] as const,
  urgent: ["fleet-urgent"] as const,
  instance: (key: string) => ["instance", key] as const,
  openOperations: ["operations", "open"] as const,
  operations: ["operations"] as const,
  operation: (id: string) => ["operation", id] as const,
  history: (key: string) => ["history", key] as const,
  deployments: ["deployments"] as const,
  deployment: (key: string) => ["deployment", key] as const,
  runs: ["runs"] as const,
  stats: ["stats"] as const,
  hosts: ["hosts"] as const,
  providers: ["providers"] as const,
  blueprints: ["blueprints"] as const,
  tokens: ["tokens"] as const,
  deliveries: ["deliveries"] as const,
  audit: ["audit"] as const,
  orphans: ["orphans"] as const,
};

/** How often what is on the screen is read while nobody tells: the banner says so. */
const PAUSED_MS = 5_000;

/** Time between looks: often while the link is down, now and then while it is up. */
export function useInterval(whileLive = 60_000): number {
  return useLink((state) => state.link.state) === "live" ? whileLive : PAUSED_MS;
}

/** For what the line tells of: read again only while it is down. */
export function usePausedInterval(): number | false {
  return useLink((state) => state.link.state) === "live" ? false : PAUSED_MS;
}

/** One instance as the server has it. A life that has ended is marked in the store. */
export async function fetchInstance(key: string): Promise<Instance> {
  try {
    return (await instancesGet({ path: { key } })).data;
  } catch (error) {
    const id = idOf(key);
    if (error instanceof Refusal && error.problem.status === 404 && id !== null) {
      markGone(id, error.problem.run_url?.split("/").at(-1) ?? null);
    }
    throw error;
  }
}

/** Read one instance into the store. */
export async function readInstance(key: string): Promise<string> {
  const record = await fetchInstance(key);
  takeRecords([record]);
  return record.id;
}

export async function readOperation(id: string): Promise<OperationForm> {
  const { data } = await operationsGet({ path: { operation_id: id } });
  takeOperations([data]);
  return data;
}

export interface OpenOperations {
  items: OperationForm[];
  counts: Record<string, number>;
}

/** Everything under way and everything that waits for somebody, the latter first as the server orders it. */
export async function readOpenOperations(): Promise<OpenOperations> {
  const [open, waiting] = await Promise.all([
    operationsList({ query: { status: [...OPEN_RESULTS], page_size: 200 } }),
    operationsList({ query: { needs_you: true, page_size: 200 } }),
  ]);
  const items = [...new Map([...waiting.data.items, ...open.data.items].map((one) => [one.id, one])).values()];
  takeOperations(items);
  return { items, counts: open.data.counts as Record<string, number> };
}

/** The list holds the first two hundred; its counts know of all. */
export function moreUnderWay(open: OpenOperations | undefined): number {
  if (open === undefined) return 0;
  const counted = OPEN_RESULTS.reduce((sum, status) => sum + (open.counts[status] ?? 0), 0);
  return Math.max(0, counted - open.items.filter((one) => OPEN_RESULTS.includes(one.status)).length);
}

/** How often an operation under way is looked at: never, where the line shows it. */
export function useStepInterval(moving: boolean, else_: number | false): number | false {
  const told = useLink((state) => state.told);
  return moving && !told ? 700 : else_;
}

export const openOperationsQuery = {
  queryKey: keys.openOperations,
  queryFn: readOpenOperations,
  // Where the line does not show steps as they move, what is under way is looked at every second.
  refetchInterval: (query: { state: { data?: OpenOperations | undefined } }): number =>
    query.state.data?.items.some((one) => !one.done) && !useLink.getState().told ? 1_000 : 15_000,
};
