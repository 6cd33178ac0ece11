import type { AgentFacts } from "../../core/agents/contract.ts";
import { decide } from "../../core/access/decide.ts";
import { findAccess } from "../../core/access/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { lapseOf } from "../../core/keys/judge.ts";
import { boundTo, principalOfRow } from "../../core/keys/principal.ts";
import type { KeyRow } from "../../core/keys/store.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { ProblemData } from "../../core/problem.ts";
import type { Owner } from "./contract.ts";

/**
 * Why a key may no longer hold a socket to this agent; undefined while it may. Where it is used
 * from was judged when the socket was opened, and is not known here.
 */
export async function faultOfKey(
  scope: TenantScope,
  key: KeyRow | undefined,
  owner: Owner,
  facts: AgentFacts,
  nowMs: number,
): Promise<ProblemData | undefined> {
  if (key?.tenantId !== owner.tenantId) return { code: "invalid_token", detail: "no such key" };
  const lapse = lapseOf(key, nowMs);
  if (lapse !== undefined) return lapse;
  const principal = await asNow(scope, key);
  if (principal === undefined) {
    return { code: "key_disabled", detail: "the key's owner is no member any more" };
  }
  const { tenantId, agentId, environment } = owner;
  const { projectId, tags, ownerId } = facts;
  const resource = { tenantId, agentId, environment, projectId, tags, ownerId };
  const { allowed } = decide({ principal, scope: "agents:invoke", resource, nowMs });
  return allowed ? undefined : { code: "forbidden", detail: "the key may no longer invoke this" };
}

async function asNow(scope: TenantScope, key: KeyRow): Promise<Principal | undefined> {
  if (key.ownerId === null) return principalOfRow(key);
  const access = await findAccess(scope, "user", key.ownerId);
  return access && boundTo(key, access);
}
