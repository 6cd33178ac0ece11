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
  /** Largest answer of any kind but an event stream; 1 MiB when absent. */
  readonly maxBytes?: number;
  /** Largest event stream; 16 MiB when absent. */
  readonly maxStreamBytes?: number;
};

/** Why no answer was taken. `refused` and `redirect` will not get better by trying again. */
export class EgressFailure extends Error {
  override readonly name = "EgressFailure";
  readonly reason: "refused" | "redirect" | "too_large";
  constructor(reason: EgressFailure["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}
