/** How long a health that was read may be shown as one: like the server, the page tells by its age. */

import type { Instance } from "@/api/client";

/** The server's own bound, twice the time between two looks (`STALE_AFTER` of domain/health.py). */
const FRESH_ON_THE_SERVER_MS = 30_000;
/** No record tells that it was looked at again: what is on the screen is read this often. */
export const READ_EVERY_MS = 15_000;
/** As old as it may be when it is read, and one reading that went amiss. */
export const BELIEVED_MS = FRESH_ON_THE_SERVER_MS + 2 * READ_EVERY_MS;

type Probed = Pick<Instance, "health" | "health_checked_at">;

/** Whether what the record says of its health is older than anybody should believe. */
export function outdated({ health, health_checked_at: at }: Probed, now: number): boolean {
  return health !== "unknown" && typeof at === "string" && now - new Date(at).getTime() > BELIEVED_MS;
}

/** What may be believed of a record's health now. */
export function believed(probed: Probed, now: number): Instance["health"] {
  return outdated(probed, now) ? "unknown" : probed.health;
}
