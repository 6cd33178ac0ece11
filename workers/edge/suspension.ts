/**
 * What a suspended tenant still answers.
 *
 * U1  Whoever shows no credential that is good here is told what they would be told of any other
 *     tenant: that it is suspended is for its own people.
 * U2  Its own people may sign in and out, read what it is, and leave (`STATUS`); all else is refused
 *     with `suspended`, whatever the credential may.
 * U3  What was accepted before is carried out. Sockets are checked before anything goes over them,
 *     and closed (S3 of durable-objects/agent-runtime/sockets.ts).
 */
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { TenantArrival } from "./arrival.ts";

/** Method and path. Signing in is among them: a session may have ended meanwhile. */
const STATUS: ReadonlySet<string> = new Set([
  "GET /v1/tenant",
  "POST /v1/tenant/export",
  "POST /v1/tenant/erase",
  "GET /v1/users/me",
  "GET /auth/session",
  "POST /auth/session",
  "DELETE /auth/session",
  "POST /auth/login",
  "POST /auth/logout",
]);

/** The principal, where it may act here now. @throws Problem `suspended` */
export function admitted(
  arrival: TenantArrival,
  principal: Principal | undefined,
): Principal | undefined {
  if (principal !== undefined) demandActive(arrival);
  return principal;
}

/**
 * For whoever was found to belong to the tenant by other means than a principal.
 *
 * @throws Problem `suspended`
 */
export function demandActive({ residence, request }: TenantArrival): void {
  const { status } = residence.tenant;
  if (status === "active") return;
  if (STATUS.has(`${request.method} ${pathOf(request.url)}`)) return;
  throw new Problem("suspended", "ask the platform's operator");
}

function pathOf(url: string): string {
  return new URL(url).pathname;
}
