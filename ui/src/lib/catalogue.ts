/** Blueprints, providers and hosts. The contract leaves their inside open, so what the page reads of them is named here. */

import { blueprintsList, hostsList, providersList } from "@/api/client";
import { keys } from "@/live/queries";

import type { ParamsSchema } from "./schema";

export interface Blueprint {
  name: string;
  title: string;
  description: string;
  providers: string[];
  max_members: number;
  operations: string[];
  immutable: string[];
  params_schema: ParamsSchema;
}

export interface Provider {
  name: string;
  title: string;
  description: string;
  available: boolean;
  reason: string | null;
  hosts: string[];
}

export interface Host {
  id: string;
  name: string;
  providers: string[];
  cordoned: boolean;
  /** Not heard for a while: it is asked for nothing new, and may be removed. */
  silent: boolean;
  lost: boolean;
  instances: number;
  first_seen_at: string;
  last_seen_at: string;
  unseen_seconds: number;
}

export const blueprintsQuery = {
  queryKey: keys.blueprints,
  queryFn: async () => (await blueprintsList()).data.items as unknown as Blueprint[],
  staleTime: 300_000,
};

export const providersQuery = {
  queryKey: keys.providers,
  queryFn: async () => (await providersList()).data.items as unknown as Provider[],
  staleTime: 30_000,
};

export const hostsQuery = {
  queryKey: keys.hosts,
  queryFn: async () => (await hostsList()).data.items as unknown as Host[],
  staleTime: 5_000,
  refetchInterval: 10_000,
};
