/** What the list is narrowed to. It lives in the address, so that a view can be kept, shared and gone back to. */

import { useCallback, useMemo, useRef } from "react";
import { useSearchParams } from "wouter";

import type { Instance } from "@/api/client";

export interface InstanceFilter {
  q: string;
  label: string;
  statuses: readonly string[];
  needsYou: boolean;
  blueprint: string;
  provider: string;
  health: string;
}

export const SORTS = ["attention", "name", "status", "health", "blueprint", "where", "created", "changed"] as const;
export type Sort = (typeof SORTS)[number];

export interface View {
  filter: InstanceFilter;
  sort: Sort;
  descending: boolean;
}

/** Text with an equals sign asks for a label. */
export function splitSearch(text: string): { q: string; label: string } {
  const parts = text.split(/\s+/).filter(Boolean);
  return {
    q: parts.filter((part) => !part.includes("=")).join(" "),
    label: parts.filter((part) => part.includes("=") && !part.startsWith("=")).join(","),
  };
}

export function joinSearch({ q, label }: Pick<InstanceFilter, "q" | "label">): string {
  return [q, ...label.split(",")].filter(Boolean).join(" ");
}

export function viewOf(params: URLSearchParams): View {
  const sort = SORTS.find((one) => one === params.get("sort")) ?? "attention";
  return {
    filter: {
      q: params.get("q") ?? "",
      label: params.get("label") ?? "",
      statuses: (params.get("status") ?? "").split(",").filter(Boolean),
      needsYou: params.get("needs_you") === "true",
      blueprint: params.get("blueprint") ?? "",
      provider: params.get("provider") ?? "",
      health: params.get("health") ?? "",
    },
    sort,
    descending: params.get("desc") === "true",
  };
}

export function paramsOf(view: View): URLSearchParams {
  const { filter, sort, descending } = view;
  const params = new URLSearchParams();
  const set = (name: string, value: string): void => {
    if (value !== "") params.set(name, value);
  };
  set("q", filter.q);
  set("label", filter.label);
  set("status", filter.statuses.join(","));
  set("needs_you", filter.needsYou ? "true" : "");
  set("blueprint", filter.blueprint);
  set("provider", filter.provider);
  set("health", filter.health);
  set("sort", sort === "attention" ? "" : sort);
  set("desc", descending ? "true" : "");
  return params;
}

/** The same as the server's query, without what the counts are broken down by. */
export function queryOf(filter: InstanceFilter): Record<string, string> {
  const { q, label, blueprint, provider, health } = filter;
  return Object.fromEntries(Object.entries({ q, label, blueprint, provider, health }).filter(([, value]) => value !== ""));
}

/** What the server looks through for a word. */
function wordsOf(record: Instance): string[] {
  const labels = Object.entries(record.labels).map(([key, value]) => `${key}=${value}`);
  return [record.name, record.host, record.blueprint, record.error_message, ...labels].filter((text): text is string => typeof text === "string");
}

/** Whether a record belongs to the view; the status part is left to the caller, who knows what was asked meanwhile. */
export function matches(filter: InstanceFilter, record: Instance): boolean {
  const labels = filter.label.split(",").filter(Boolean);
  return (
    (filter.q === "" || wordsOf(record).some((text) => text.toLowerCase().includes(filter.q.toLowerCase()))) &&
    (filter.blueprint === "" || record.blueprint === filter.blueprint) &&
    (filter.provider === "" || record.provider === filter.provider) &&
    (filter.health === "" || record.health === filter.health) &&
    labels.every((pair) => {
      const at = pair.indexOf("=");
      return record.labels[pair.slice(0, at)] === pair.slice(at + 1);
    })
  );
}

export function isNarrowed(filter: InstanceFilter): boolean {
  return filter.statuses.length > 0 || filter.needsYou || Object.keys(queryOf(filter)).length > 0;
}

export function useView(): [View, (change: Partial<InstanceFilter> & { sort?: Sort; descending?: boolean }) => void] {
  const [params, setParams] = useSearchParams();
  const text = params.toString();
  const view = useMemo(() => viewOf(new URLSearchParams(text)), [text]);
  const now = useRef({ view, setParams });
  now.current = { view, setParams };
  // One function for the life of the screen: who waits for a pause in typing must not begin anew with every event.
  const change = useCallback(({ sort, descending, ...filter }: Partial<InstanceFilter> & { sort?: Sort; descending?: boolean }): void => {
    const before = now.current.view;
    const next = { filter: { ...before.filter, ...filter }, sort: sort ?? before.sort, descending: descending ?? before.descending };
    now.current.setParams(paramsOf(next), { replace: true });
  }, []);
  return [view, change];
}
