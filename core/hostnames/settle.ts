/**
 * What a look at DNS and at the edge makes of a hostname. Pure: no clock, no network.
 *
 * H1  A name is nobody's until its token is seen in DNS, and then at once whoever's token it is: a
 *     name that is only asked for holds nothing and keeps nobody waiting.
 * H2  A proven name stays while its token is there or its visitors are led here. `GONE_AFTER` looks
 *     in a row that find neither, a day apart, let go of it.
 * H3  Where nobody could be asked, nothing is concluded.
 */
import type { HostnameStatus } from "./contract.ts";
import type { EdgeState } from "./edge.ts";

/** Is it shown in DNS that the name is the tenant's? */
export type Proof =
  | { readonly kind: "shown" | "led_here" | "absent" }
  | { readonly kind: "unasked"; readonly why: string };

/** What of the row decides. */
export type Standing = {
  readonly status: HostnameStatus;
  readonly failures: number;
  readonly createdAtMs: number;
  readonly verifiedAtMs: number | null;
};

/** What the row becomes. */
export type Settled = {
  readonly status: HostnameStatus;
  readonly problem: string | null;
  readonly failures: number;
  readonly dueMs: number | null;
};

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const GONE_AFTER = 3;
/** How long a name may stay unproven, or without a certificate. */
const PATIENCE_MS = 7 * DAY;

/** Of a name nobody has proven yet: `pending`, or `failed` and looked at once more. */
export function unproven(
  { status, createdAtMs }: Standing,
  proof: Exclude<Proof, { kind: "shown" }>,
  nowMs: number,
): Settled {
  const ageMs = nowMs - createdAtMs;
  const why = proof.kind === "unasked" ? proof.why : "no TXT record holds the token";
  if (status === "failed" || ageMs > PATIENCE_MS) return over(why);
  const dueMs = nowMs + (ageMs < HOUR ? 5 * MINUTE : HOUR);
  return { status: "pending", problem: why, failures: 0, dueMs };
}

/** Of a name that is the tenant's and known at the edge. */
export function proven(
  { verifiedAtMs }: Standing,
  { state, detail }: EdgeState,
  nowMs: number,
): Settled {
  if (state === "active") {
    return { status: "active", problem: null, failures: 0, dueMs: nowMs + DAY };
  }
  const sinceMs = nowMs - (verifiedAtMs ?? nowMs);
  if (state === "failed" || sinceMs > PATIENCE_MS) {
    return over(detail ?? "no certificate could be made");
  }
  const dueMs = nowMs + (sinceMs < HOUR ? MINUTE : HOUR);
  return { status: "verifying", problem: detail, failures: 0, dueMs };
}

/** Of a name that was proven, and could not be looked at now. */
export function unseen({ status, failures }: Standing, why: string, nowMs: number): Settled {
  return { status, problem: why, failures, dueMs: nowMs + (status === "active" ? HOUR : MINUTE) };
}

/** @param counted  A look of the daily round; one that somebody asked for costs nothing. */
export function gone({ status, failures }: Standing, counted: boolean, nowMs: number): Settled {
  const count = failures + (counted ? 1 : 0);
  const why = "neither its TXT record nor its CNAME leads here";
  if (count >= GONE_AFTER) return over(why);
  return { status, problem: why, failures: count, dueMs: nowMs + DAY };
}

function over(problem: string): Settled {
  return { status: "failed", problem, failures: 0, dueMs: null };
}
