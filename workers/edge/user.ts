/** Routes that are a user's own: no scope opens them, and no key, client or other principal. */
import type { MiddlewareHandler } from "hono";
import { actingAs } from "../../core/db/scope.ts";
import { isId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import { actorOf } from "./actor.ts";
import type { AppEnv, WithPrincipal } from "./context.ts";
import { principalOf } from "./principal.ts";

/**
 * Only a user of the tenant goes on, by session or token; behind it `c.get("principal")` is there.
 * Goes behind `open`, which says that no scope is needed.
 *
 * @throws Problem `unauthenticated` | `forbidden` and what the credential itself is refused for
 */
export function asUser(): MiddlewareHandler<WithPrincipal> {
  const demand: MiddlewareHandler<AppEnv & WithPrincipal> = async (c, next) => {
    const principal = await principalOf(c.get("arrival"));
    if (principal === undefined) throw new Problem("unauthenticated", "sign in");
    // A user of somebody else's issuer has an id of its own form: it has no row here.
    if (principal.kind !== "user" || !isId("user", principal.id)) {
      throw new Problem("forbidden", "only a signed-in user has this");
    }
    c.set("principal", principal);
    c.set("scope", actingAs(c.get("scope"), actorOf(principal, c.get("arrival"))));
    await next();
  };
  // As in `may`: what it needs beyond the principal is there for every route of a tenant.
  return demand as unknown as MiddlewareHandler<WithPrincipal>;
}
