import type { AgentFacts } from "../../core/agents/contract.ts";
import { decide } from "../../core/access/decide.ts";
import { findAccess } from "../../core/access/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { findMembership } from "../../core/members/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { ProblemData } from "../../core/problem.ts";
import type { Owner } from "./contract.ts";

/** A user behind a socket, and when what the socket rests on was begun. */
export type SocketUser = { readonly id: string; readonly beganAtMs: number };

/**
 * Why a user may no longer hold a socket to this agent: it is no member any more, signed out
 * everywhere since, or may no longer invoke this. Undefined while it may.
 */
export async function faultOfUser(
  scope: TenantScope,
  { id, beganAtMs }: SocketUser,
  { agentId, environment }: Owner,
  { projectId, tags, ownerId }: AgentFacts,
  nowMs: number,
): Promise<ProblemData | undefined> {
  const { tenantId } = scope;
  const [membership, access] = await Promise.all([
    findMembership(scope, id),
    findAccess(scope, "user", id),
  ]);
  if (membership === undefined || access === undefined) {
    return { code: "invalid_token", detail: "no longer a member" };
  }
  if (beganAtMs < (membership.sessionsFromMs ?? 0)) {
    return { code: "invalid_token", detail: "signed out" };
  }
  const principal: Principal = { kind: "user", id, tenantId, ...access };
  const resource = { tenantId, agentId, environment, projectId, tags, ownerId };
  const { allowed } = decide({ principal, scope: "agents:invoke", resource, nowMs });
  return allowed ? undefined : { code: "forbidden", detail: "you may no longer invoke this" };
}
