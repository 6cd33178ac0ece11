/** What is live where: what every call to an agent's address is led by. */
import { and, eq } from "drizzle-orm";
import { factsOf, oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { Problem } from "../problem.ts";
import { runtimeObject } from "../runtime-objects/table.ts";
import type { LiveAgent } from "./contract.ts";
import { agentEnvironment } from "./table.ts";

/** When to ask again for what is not live: about as long as a deployment takes. */
const NOT_DEPLOYED_MS = 5000;

/**
 * Where an address leads.
 *
 * @returns  undefined when there is no such agent.
 * @throws Problem `not_deployed` when the agent exists and nothing is live in `environment`.
 */
export async function findLiveAgent(
  scope: TenantScope,
  idOrSlug: string,
  environment: string,
): Promise<LiveAgent | undefined> {
  const [row] = await scope.db
    .select({
      agentId: agent.id,
      slug: agent.slug,
      name: agent.name,
      generation: agentEnvironment.generation,
      version: agentEnvironment.version,
      replicas: agentEnvironment.replicas,
      homes: agentEnvironment.homes,
      tag: runtimeObject.tag,
      projectId: agent.projectId,
      tags: agent.tags,
      ownerId: agent.ownerId,
    })
    .from(agent)
    .leftJoin(
      agentEnvironment,
      and(
        eq(agentEnvironment.tenantId, agent.tenantId),
        eq(agentEnvironment.agentId, agent.id),
        eq(agentEnvironment.environment, environment),
      ),
    )
    .leftJoin(
      runtimeObject,
      and(
        eq(runtimeObject.tenantId, agent.tenantId),
        eq(runtimeObject.agentId, agent.id),
        eq(runtimeObject.environment, environment),
        eq(runtimeObject.replica, 0),
      ),
    )
    .where(oneAgent(scope, idOrSlug));
  if (row === undefined) return undefined;
  const { generation, version, replicas, tag, ...rest } = row;
  if (generation === null || version === null || replicas === null || tag === null) {
    throw new Problem("not_deployed", "no version is live in this environment", {
      retryAfterMs: NOT_DEPLOYED_MS,
    });
  }
  const facts = factsOf(scope.tenantId, row);
  return { ...rest, ...facts, environment, generation, version, replicas, tag };
}
