/** Epoch milliseconds. The shells pass `Date.now`; tests pass a hand-moved one. */
export type Clock = () => number;

/** RFC 3339 UTC with milliseconds, the wire form of every time. */
export function rfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
