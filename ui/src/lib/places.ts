/** What one must be allowed to read what a screen shows: it is not offered to others, and says so to who comes anyway. */

import { useQuery } from "@tanstack/react-query";

import type { Me } from "@/api/client";

import { lack, meQuery } from "./me";

const NEEDED: Readonly<Record<string, string>> = { "/hosts": "admin", "/statistics": "admin", "/billing": "admin", "/audit": "admin" };

/** Why this screen is not for them; null where it is. */
export function barred(me: Me | null, href: string): string | null {
  const right = NEEDED[href];
  return right === undefined ? null : lack(me, right);
}

/** The same for the screen itself; undefined until it is known who they are, and nothing is asked for before. */
export function useBarred(href: string): string | null | undefined {
  const { data, isPending } = useQuery(meQuery);
  return isPending ? undefined : barred(data ?? null, href);
}
