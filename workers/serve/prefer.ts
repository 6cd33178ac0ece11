/** How long a plain call waits for its answer before it gets 202. */
const DEFAULT_WAIT_MS = 120_000;

export type Preference =
  | { readonly kind: "stream" }
  | { readonly kind: "wait"; readonly waitMs: number }
  /** Answered as soon as it is accepted. */
  | { readonly kind: "async"; readonly waitMs: 0 };

/**
 * What the caller wants of an invocation, from its `Prefer` and `Accept` headers.
 *
 * `respond-async` wins over everything, an event stream over `wait=N`. A preference that makes no
 * sense is ignored, as its RFC asks; N is cut at 120 s.
 *
 * @source RFC 7240 §4.1, §4.3.
 */
export function preferenceOf(prefer: string | undefined, accept: string | undefined): Preference {
  const wishes = (prefer ?? "").split(",").map((wish) => wish.trim().toLowerCase());
  if (wishes.includes("respond-async")) return { kind: "async", waitMs: 0 };
  if (accept?.includes("text/event-stream")) return { kind: "stream" };
  for (const wish of wishes) {
    const seconds = /^wait=(\d{1,6})$/.exec(wish)?.[1];
    if (seconds !== undefined) {
      const waitMs = Math.min(Number(seconds) * 1000, DEFAULT_WAIT_MS);
      return waitMs === 0 ? { kind: "async", waitMs: 0 } : { kind: "wait", waitMs };
    }
  }
  return { kind: "wait", waitMs: DEFAULT_WAIT_MS };
}
