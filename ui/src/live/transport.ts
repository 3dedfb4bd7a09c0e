/** What the feed needs of a wire, so that a socket and server-sent events can stand behind the same few words. */

import type { Event, Instance, OperationForm } from "@/api/client";

export type Incoming =
  | { kind: "event"; cursor: string; event: Event }
  /** What they look like now: nobody has to read them. Steps and health move without an event. */
  | { kind: "records"; cursor?: string; instances: Instance[]; operations: OperationForm[]; hosts: HostStanding[] }
  /** The cursor is of another life of the records, or too old: read the lists again, then go on from here. */
  | { kind: "snapshot_required"; cursor: string }
  /** The server lives and has nothing to say; it may say how far it has looked. */
  | { kind: "heartbeat"; cursor?: string };

/** A host that fell silent, was lost or came back: what its instances may be asked for has turned. */
export interface HostStanding {
  id: string;
}

export interface Wire {
  /**
   * Stay connected from `after` on (null: from now), hand over what comes, and return when the line ends.
   * Throws when it cannot connect; `refused` on the error says that asking again will not help.
   */
  listen(after: string | null, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void>;
}

export class WireError extends Error {
  readonly refused: boolean;
  constructor(message: string, refused: boolean) {
    super(message);
    this.name = "WireError";
    this.refused = refused;
  }
}
