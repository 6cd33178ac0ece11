/** How long an answer is kept for replay; published as the header's expiry. */
export const REPLAY_MS = 24 * 3_600_000;

/**
 * After this long a claim without an answer is taken to be a dead request's, and the key may be
 * claimed again. Longer than any control-plane request lives.
 */
export const CLAIM_MS = 120_000;

/** What a request is told apart by; the tenant comes from the scope. */
export type IdempotencySubject = {
  /** `Principal.id`. */
  readonly principal: string;
  /** Method and route pattern. */
  readonly route: string;
  readonly key: string;
  /** SHA-256 (base64url) of method, path and canonical body. */
  readonly fingerprint: string;
};

/** The right to run the request and to store its answer. */
export type Claim = Omit<IdempotencySubject, "fingerprint"> & { readonly claimId: string };

export type Claimed =
  | { readonly state: "new"; readonly claim: Claim }
  /** Another request with this key is under way: 409 with Retry-After. */
  | { readonly state: "running" }
  /** The key was used with another body: 422. */
  | { readonly state: "mismatch" }
  /** Answer this again, secrets as null. */
  | { readonly state: "done"; readonly status: number; readonly body: unknown };
