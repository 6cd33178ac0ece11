import type { Fetch } from "../core/models/contract.ts";

/**
 * The network as this Worker has it, before the egress rule (core/egress) is put in front.
 *
 * On one machine the plain `fetch` ends at a wall that opens to public addresses alone (DECISIONS
 * 34), and the pairs of `EGRESS_ALLOW` are reached through a binding of their own. Elsewhere there
 * is no such binding and everything is the plain `fetch`.
 *
 * @param allow  Exact `host:port` pairs.
 */
export function networkOf(env: object, allow: readonly string[]): Fetch {
  const inside = "EGRESS_ALLOWED" in env ? (env.EGRESS_ALLOWED as Fetcher) : undefined;
  if (inside === undefined || allow.length === 0) return (target, init) => fetch(target, init);
  const pairs = new Set(allow);
  return (target, init) => {
    const url = target instanceof URL ? target : new URL(target);
    const port = url.port || (url.protocol === "https:" ? "443" : "80");
    return pairs.has(`${url.hostname}:${port}`) ? inside.fetch(url, init) : fetch(url, init);
  };
}
