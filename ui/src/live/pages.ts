/** Lists that come in pages: each page is asked for by the token of the one before, and all rows are one list. */

import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryOptions } from "@tanstack/react-query";
import { useMemo } from "react";

type Token = string | null;

interface Asked {
  page_size: number;
  page_token?: string;
}

interface Page<Row> {
  items: Row[];
  next_page_token?: Token;
}

type Options<Row> = UseInfiniteQueryOptions<Page<Row>, Error, InfiniteData<Page<Row>, Token>, readonly unknown[], Token>;

interface Source<Row> extends Pick<Options<Row>, "enabled" | "placeholderData" | "refetchInterval"> {
  key: readonly unknown[];
  /** One page as the server sends it; `asked` goes into the question. */
  read: (asked: Asked) => Promise<{ data: Page<Row> }>;
  size?: number;
}

/** The way to the next page. */
export interface NextPage {
  busy: boolean;
  load: () => void;
}

export interface Pages<Row> {
  rows: Row[];
  /** Nothing was read yet, and nothing failed. */
  loading: boolean;
  /** It was read, and there is nothing. */
  none: boolean;
  error: Error | null;
  /** When what is shown was read; null for never. */
  readAt: number | null;
  /** Null where all is shown. */
  next: NextPage | null;
  retry: () => void;
}

export function usePages<Row>({ key, read, size = 100, ...options }: Source<Row>): Pages<Row> {
  const { data, error, isPending, hasNextPage, isFetchingNextPage, fetchNextPage, refetch, dataUpdatedAt } = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam }) => (await read({ page_size: size, ...(pageParam === null ? {} : { page_token: pageParam }) })).data,
    initialPageParam: null as Token,
    getNextPageParam: (page) => page.next_page_token ?? null,
    ...options,
  });
  const rows = useMemo(() => data?.pages.flatMap((page) => page.items) ?? [], [data]);
  return {
    rows,
    loading: isPending && error === null,
    none: data !== undefined && rows.length === 0,
    error,
    readAt: dataUpdatedAt || null,
    next: hasNextPage ? { busy: isFetchingNextPage, load: () => void fetchNextPage() } : null,
    retry: () => void refetch(),
  };
}

/** How many rows there are, and a plus where there are more. */
export function sizeOf({ rows, next }: Pages<unknown>): string {
  return rows.length === 0 ? "" : `${rows.length}${next ? "+" : ""}`;
}
