/** Every question has an end: a server that hangs says no more than one that is away, and holds nobody up. */

/** What the server itself may take for a statement, which is longer than anything ordinary. */
const ANSWER_WITHIN_MS = 15_000;

/** `work` with a signal that ends it after so long, and when `outer` does. */
export async function within<T>(most: number, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const end = (): void => ending.abort(outer.reason);
  const late = setTimeout(() => ending.abort(new DOMException(`no answer within ${most / 1000} s`, "TimeoutError")), most);
  if (outer.aborted) end();
  outer.addEventListener("abort", end);
  try {
    return await work(ending.signal);
  } finally {
    clearTimeout(late);
    outer.removeEventListener("abort", end);
  }
}

/** What the question itself asks the server to wait, which comes on top. */
function askedToWait(url: string): number {
  const seconds = Number(new URL(url, "http://here").searchParams.get("wait") ?? 0);
  return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : 0;
}

/** A `fetch` for the generated client: the whole answer within the time, or none. */
export function answering(most = ANSWER_WITHIN_MS): (request: Request) => Promise<Response> {
  return (request) =>
    within(most + askedToWait(request.url), request.signal, async (signal) => {
      const answer = await fetch(request, { signal });
      // A body that never ends is no answer either.
      const body = await answer.arrayBuffer();
      return new Response(body.byteLength === 0 ? null : body, { status: answer.status, statusText: answer.statusText, headers: answer.headers });
    });
}
