import type { Quota } from "../../core/problem.ts";

/**
 * `RateLimit-Policy` (what holds) and `RateLimit` (what is left of it).
 *
 * @source IETF httpapi draft-ietf-httpapi-ratelimit-headers-10: lists of strings with parameters
 *         `q` quota, `w` window in seconds, `r` what remains, `t` seconds until it is there again.
 */
export function setQuotas(headers: Headers, quotas: readonly Quota[]): void {
  if (quotas.length === 0) return;
  headers.set("ratelimit-policy", quotas.map(policyOf).join(", "));
  headers.set("ratelimit", quotas.map(leftOf).join(", "));
}

function policyOf({ name, limit, periodMs }: Quota): string {
  return `"${name}";q=${limit}${parameter("w", periodMs)}`;
}

function leftOf({ name, remaining, resetMs }: Quota): string {
  return `"${name}";r=${remaining}${parameter("t", resetMs)}`;
}

function parameter(name: string, ms: number | null): string {
  return ms === null ? "" : `;${name}=${Math.ceil(ms / 1000)}`;
}
