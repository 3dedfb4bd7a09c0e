/** Logs of which only the last lines can be asked for: what came while nobody listened (`domain/log_window.py`). */

/** So many lines are enough to find a place again. */
export const MARK_LINES = 50;

/** What of `window`, the last lines, comes behind `known`, the last ones that are shown; all of it where they are gone. */
export function unseen(known: readonly string[], window: readonly string[]): readonly string[] {
  const mark = known.slice(-MARK_LINES);
  if (mark.length === 0) return window;
  for (let end = window.length; end >= mark.length; end -= 1) {
    if (mark.every((line, index) => window[end - mark.length + index] === line)) return window.slice(end);
  }
  return window;
}

/** Text as it arrives, in lines: each once, also when the connection was cut and the last lines are told again. */
export class LogLines {
  private rest = "";
  private known: readonly string[] = [];
  private toCome = 0;
  private again: string[] = [];

  /** A connection stands; so many of the lines to come were `written` before. */
  open(written: number): void {
    this.rest = "";
    this.toCome = written;
    this.again = [];
  }

  /** The whole lines in what has come that were not told before. */
  take(text: string): readonly string[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    const told = lines.splice(0, this.toCome);
    this.toCome -= told.length;
    this.again.push(...told);
    if (this.toCome > 0) return [];
    const fresh = [...unseen(this.known, this.again), ...lines];
    this.again = [];
    this.known = [...this.known, ...fresh].slice(-MARK_LINES);
    return fresh;
  }
}
