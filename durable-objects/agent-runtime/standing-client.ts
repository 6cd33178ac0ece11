import type { AgentFacts } from "../../core/agents/contract.ts";
import { decide } from "../../core/access/decide.ts";
import { findAccess } from "../../core/access/store.ts";
import { clientAccess } from "../../core/clients/access.ts";
import { findClient } from "../../core/clients/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { ProblemData } from "../../core/problem.ts";
import type { Owner } from "./contract.ts";

/**
 * Why an app client may no longer hold a socket to this agent: it is gone, switched off, or may no
 * longer invoke this. Undefined while it may.
 */
export async function faultOfClient(
  scope: TenantScope,
  id: string,
  { agentId, environment }: Owner,
  { projectId, tags, ownerId }: AgentFacts,
  nowMs: number,
): Promise<ProblemData | undefined> {
  const { tenantId } = scope;
  const [client, assigned] = await Promise.all([
    findClient(scope, id),
    findAccess(scope, "app_client", id),
  ]);
  if (client?.enabled !== true) return { code: "invalid_token", detail: "no such client" };
  const { scopes, grants } = clientAccess(client.scopes, assigned);
  const statements = grants.length === 0 ? {} : { grants };
  const principal: Principal = { kind: "app_client", id, tenantId, scopes, ...statements };
  const resource = { tenantId, agentId, environment, projectId, tags, ownerId };
  const { allowed } = decide({ principal, scope: "agents:invoke", resource, nowMs });
  return allowed ? undefined : { code: "forbidden", detail: "it may no longer invoke this" };
}
