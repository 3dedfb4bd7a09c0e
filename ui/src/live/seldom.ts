/** Work that is asked for a hundred times a second and done a few times: soon after a rest, then at a slower pace. */

export class Seldom {
  readonly #run: () => boolean;
  readonly #soonMs: number;
  readonly #everyMs: number;
  #ranAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `run` returns true while something is left: then it runs again at its pace. */
  constructor(run: () => boolean, soonMs: number, everyMs: number) {
    this.#run = run;
    this.#soonMs = soonMs;
    this.#everyMs = everyMs;
  }

  ask(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#ranAt = Date.now();
      if (this.#run()) this.ask();
    }, Math.max(this.#soonMs, this.#ranAt + this.#everyMs - Date.now()));
  }
}
