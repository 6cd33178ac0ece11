/** What may be reached. The rule is never switched off, only widened by exact addresses. */
export type EgressRule = {
  /**
   * Exact `host:port` pairs that are reachable although they are inside, for local runs
   * (`EGRESS_ALLOW`). Compared with the host and port of the parsed URL, never with its text.
   */
  readonly allow: readonly string[];
  /** Our own apex and custom domains: a call to ourselves goes through bindings, not the network. */
  readonly ownHosts: readonly string[];
};

/** Caps on one answer, in bytes as decoded. */
export type EgressCaps = {
  /** A 3xx is an answer like any other: whoever asked decides, and what it asks next is judged anew. */
  readonly handsOverRedirects?: boolean;
  /** Largest answer of any kind but an event stream; 1 MiB when absent. */
  readonly maxBytes?: number;
  /** Largest event stream; 16 MiB when absent. */
  readonly maxStreamBytes?: number;
};

const LONGEST_RETRY_AFTER_MS = 86_400_000;

/**
 * `Retry-After` in whole ms, at most a day (RFC 9110 §10.2.3). A date counts from the answer's own
 * `Date`, so no clock is needed here.
 */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get("retry-after")?.trim();
  if (text === undefined) return undefined;
  const ms = /^\d{1,9}(\.\d{1,3})?$/.test(text)
    ? Math.ceil(Number(text) * 1000)
    : Date.parse(text) - Date.parse(headers.get("date") ?? "");
  if (!Number.isFinite(ms)) return undefined;
  return Math.min(Math.max(0, Math.ceil(ms)), LONGEST_RETRY_AFTER_MS);
}

/** Why no answer was taken. `refused` and `redirect` will not get better by trying again. */
export class EgressFailure extends Error {
  override readonly name = "EgressFailure";
  readonly reason: "refused" | "redirect" | "too_large";
  constructor(reason: EgressFailure["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
