/** Users to principals: what a session, a token or a key of a user's is worth now. */
import { type Membership, findMembership } from "../../core/members/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { accessOf } from "./access.ts";
import type { TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import { invalidToken } from "./credential.ts";

/**
 * The user as a principal with what it may do now.
 *
 * @param beganAtMs  When the credential was begun: one from before the user's last sign-out
 *                   everywhere is worth nothing.
 * @throws Problem `invalid_token` for nobody's id, for who is no member any more, and for an old
 *         credential
 */
export async function userPrincipal(
  arrival: TenantArrival,
  userId: string,
  beganAtMs: number,
): Promise<Principal> {
  const [membership, access] = await Promise.all([
    membershipOf(arrival, userId),
    accessOf(arrival, "user", userId),
  ]);
  if (membership === undefined || access === undefined) throw invalidToken();
  if (beganAtMs < (membership.sessionsFromMs ?? 0)) throw invalidToken();
  return { kind: "user", id: userId, tenantId: membership.tenantId, ...access };
}

/** A user's place in the tenant, from what this isolate knows. */
function membershipOf(arrival: TenantArrival, userId: string): Found<Membership> {
  const { services, residence, nowMs, keep } = arrival;
  const read = () => findMembership(residence.scope, userId);
  return services.members.get(memberKey(residence.tenant.id, userId), nowMs, read, keep);
}

/** What a membership is kept under; forget it after a change, so that this isolate sees it at once. */
export function memberKey(tenantId: string, userId: string): string {
  return `${tenantId} ${userId}`;
}
