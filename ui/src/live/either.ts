/** The socket where it works; server-sent events where something on the way lets no socket through. */

import { type Incoming, type Wire, WireError } from "./transport";

/** After so long on the second wire the first is tried again, at the next dial. */
const TRY_FIRST_AGAIN_MS = 5 * 60_000;

export class EitherWire implements Wire {
  readonly #first: Wire;
  readonly #second: Wire;
  #secondUntil = 0;

  constructor(first: Wire, second: Wire) {
    this.#first = first;
    this.#second = second;
  }

  async listen(after: string | null, onIncoming: (incoming: Incoming) => void, signal: AbortSignal): Promise<void> {
    if (Date.now() >= this.#secondUntil) {
      try {
        return await this.#first.listen(after, onIncoming, signal);
      } catch (error) {
        if (signal.aborted || (error instanceof WireError && error.refused)) throw error;
      }
    }
    // Only once the second has spoken is it the first's fault; else the server is away, and both are.
    const take = (incoming: Incoming): void => {
      if (this.#secondUntil < Date.now()) this.#secondUntil = Date.now() + TRY_FIRST_AGAIN_MS;
      onIncoming(incoming);
    };
    await this.#second.listen(after, take, signal);
  }
}
