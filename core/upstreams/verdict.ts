/**
 * What an upstream's answer, or its absence, means for the run (F95, F107).
 *
 *   answered   it is the run's result
 *   again      it was refused for now and nothing was done: another attempt by the policy
 *   away       nobody is there: another attempt, and then the request is kept until somebody is
 */
export type Verdict = "answered" | "again" | "away";

/**
 * No upstream behind its gateway, or none before Cloudflare's.
 *
 * @source RFC 9110 §15.6; Cloudflare's 52x: the origin refused, timed out or has no address.
 */
const AWAY = new Set([502, 503, 504, 521, 522, 523, 530]);
/** Of those: the request reached nobody, so that it may be sent again whatever it is. */
const REACHED_NOBODY = new Set([503, 521, 522, 523, 530]);

/** Methods of which a second request changes nothing (RFC 9110 §9.2.2). */
const REPEATABLE = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** May this be sent again when its answer was lost? */
export function repeatable(method: string, idempotent: boolean): boolean {
  return idempotent || REPEATABLE.has(method);
}

/** @param proxied  The caller speaks HTTP itself: every answer but nobody's is passed on. */
export function verdictOf(status: number, safe: boolean, proxied: boolean): Verdict {
  if (AWAY.has(status) && (safe || REACHED_NOBODY.has(status))) return "away";
  if (proxied || status < 400) return "answered";
  return status === 429 || status >= 500 ? "again" : "answered";
}

/** Whole ms until another request makes sense, as the upstream says; undefined when it does not. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
