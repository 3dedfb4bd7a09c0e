/** Who this page is to Berth, and what it may do. Where the server does not say, everything is tried and it decides. */

import { useQuery } from "@tanstack/react-query";

import { type Me, meGet } from "@/api/client";
import { isAbsent } from "@/api/trust";

export const meQuery = {
  queryKey: ["me"],
  queryFn: async (): Promise<Me | null> => {
    try {
      return (await meGet()).data;
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  },
  staleTime: 60_000,
};

export function useMe(): Me | null {
  return useQuery(meQuery).data ?? null;
}

/** Why a right is missing, in words for a disabled button; null where it is not. */
export function lack(me: Me | null, right: string): string | null {
  if (me === null || me.rights.includes(right)) return null;
  return `The role ${me.role} may not do this`;
}

/** The same for who uses this page. */
export function useLack(right: string): string | null {
  return lack(useMe(), right);
}

export function initials(principal: string): string {
  const parts = principal.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const [first = "", second = ""] = parts;
  return (second === "" ? first.slice(0, 2) : first.charAt(0) + second.charAt(0)).toUpperCase();
}
