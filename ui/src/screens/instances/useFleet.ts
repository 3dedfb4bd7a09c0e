/** What the list needs from the server: the rows that need attention at once, the rest as one scrolls, and counts. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo } from "react";

import { type InstanceList, instancesList } from "@/api/client";
import { READ_EVERY_MS } from "@/lib/health";
import { rowsShown, useLater } from "@/lib/later";
import { type Lifecycle, useLifecycle } from "@/lib/lifecycle";
import { keys, useInterval } from "@/live/queries";
import { takeRecords, useLink } from "@/live/store";
import { readUnseen, useSeenRows } from "@/live/sync";

import { type InstanceFilter, queryOf } from "./filters";

const PAGE = 200;
const MOST_REREAD = 3;
const UNSEEN_MS = 15_000;

interface Page {
  total: number;
  counts: Record<string, number>;
  next: string | null;
}

async function readPage(query: Record<string, unknown>): Promise<Page> {
  const { data } = await instancesList({ query: { page_size: PAGE, ...query } });
  return takePage(data);
}

function takePage(data: InstanceList): Page {
  takeRecords(data.items);
  return { total: totalOf(data.counts), counts: data.counts, next: data.next_page_token ?? null };
}

/** All but `needs_you`, which cuts across. */
export function totalOf(counts: Record<string, number>, statuses?: readonly string[]): number {
  return Object.entries(counts).reduce((sum, [status, count]) => {
    const counted = status !== "needs_you" && (!statuses || statuses.length === 0 || statuses.includes(status));
    return counted ? sum + count : sum;
  }, 0);
}

async function readUrgent(filter: InstanceFilter, table: Lifecycle): Promise<Page> {
  const query = queryOf(filter);
  const [first] = await Promise.all([
    readPage({ ...query, needs_you: true }),
    readPage({ ...query, status: [...table.inProgress] }),
  ]);
  return first;
}

function statusQuery(filter: InstanceFilter): Record<string, unknown> {
  const status = filter.statuses.length > 0 ? { status: filter.statuses } : {};
  return { ...queryOf(filter), ...status, ...(filter.needsYou ? { needs_you: true } : {}) };
}

export interface Fleet {
  counts: Record<string, number> | undefined;
  total: number;
  loading: boolean;
  error: unknown;
  readAt: number;
  hasMore: boolean;
  loadMore: () => void;
  loadAll: () => Promise<void>;
  retry: () => void;
}

export function useFleet(filter: InstanceFilter): Fleet {
  const table = useLifecycle();
  const every = useInterval();
  const often = useInterval(READ_EVERY_MS);
  const ready = table.statuses.length > 0;
  const pages = useInfiniteQuery({
    queryKey: [...keys.fleet, filter],
    queryFn: ({ pageParam }) => readPage({ ...statusQuery(filter), ...(pageParam === null ? {} : { page_token: pageParam }) }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    staleTime: 30_000,
    // A few pages are cheap to read again; of many only what the feed names is, and without it what is seen.
    refetchInterval: (query) => ((query.state.data?.pages.length ?? 0) <= MOST_REREAD ? often : false),
  });
  const urgent = useQuery({
    queryKey: [...keys.urgent, filter],
    queryFn: () => readUrgent(filter, table),
    // Where one page holds the whole list they are in it.
    enabled: ready && pages.hasNextPage && filter.statuses.length === 0 && !filter.needsYou,
    refetchInterval: every,
  });
  const counts = useQuery({
    queryKey: [...keys.instances, "counts", queryOf(filter)],
    queryFn: async () => {
      const { data } = await instancesList({ query: { ...queryOf(filter), page_size: 1 } });
      return takePage(data).counts;
    },
    enabled: useLater(),
    refetchInterval: every,
  });
  const { fetchNextPage, hasNextPage, isFetchingNextPage, refetch } = pages;
  const loadMore = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetchingNextPage]);
  useEffect(() => {
    if (pages.data !== undefined) rowsShown();
  }, [pages.data]);
  useSeenRows((pages.data?.pages.length ?? 0) > MOST_REREAD);
  const known = counts.data ?? pages.data?.pages[0]?.counts;
  useSweep(pages.data !== undefined && !hasNextPage && pages.data.pages.length <= MOST_REREAD, pages.dataUpdatedAt);
  return useMemo(
    () => ({
      counts: known,
      total: known ? totalOf(known) : 0,
      loading: pages.isPending || !ready,
      error: pages.error ?? urgent.error ?? null,
      readAt: pages.dataUpdatedAt,
      hasMore: hasNextPage,
      loadMore,
      loadAll: async () => {
        for (let more = await fetchNextPage(); more.hasNextPage && !more.isError; more = await fetchNextPage());
      },
      retry: () => void refetch(),
    }),
    [known, pages.isPending, ready, pages.error, urgent.error, pages.dataUpdatedAt, hasNextPage, loadMore, fetchNextPage, refetch],
  );
}

/** While the feed is away nobody tells of an end: whole lists read again show which rows were in none of them. */
function useSweep(whole: boolean, readAt: number): void {
  const state = useLink((live) => live.link.state);
  useEffect(() => {
    // Only a list that was read while the feed was away says anything.
    const pausedAt = useLink.getState().link.heardAt ?? 0;
    if (whole && state === "paused" && readAt > pausedAt + UNSEEN_MS) readUnseen(readAt - UNSEEN_MS);
  }, [whole, readAt, state]);
}
