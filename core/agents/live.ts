import { type SQL, and, eq, inArray, isNull } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { isId } from "../ids.ts";
import { defaultProjectId } from "../projects/contract.ts";
import type { AgentFacts } from "./contract.ts";
import { agent } from "./table.ts";

/** Agents of this tenant that are not deleted; every statement about agents starts from it. */
export function liveAgents({ tenantId }: TenantScope): SQL | undefined {
  return and(eq(agent.tenantId, tenantId), isNull(agent.deletedAtMs));
}

/** The one live agent with this id or slug. A slug never has the form of an id. */
export function oneAgent(scope: TenantScope, idOrSlug: string): SQL | undefined {
  const named = isId("agent", idOrSlug) ? eq(agent.id, idOrSlug) : eq(agent.slug, idOrSlug);
  return and(liveAgents(scope), named);
}

/** Ids of agents by id or slug, for filters over what they left behind: deleted ones too. */
export function agentIds(scope: TenantScope, idOrSlug: string) {
  const named = isId("agent", idOrSlug) ? eq(agent.id, idOrSlug) : eq(agent.slug, idOrSlug);
  return scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(and(eq(agent.tenantId, scope.tenantId), named));
}

/** The agent's project, tags and owner as decisions need them. */
export function factsOf(
  tenantId: string,
  { projectId, tags, ownerId }: Pick<typeof agent.$inferSelect, "projectId" | "tags" | "ownerId">,
): AgentFacts {
  return { projectId: projectId ?? defaultProjectId(tenantId), tags: tags ?? [], ownerId };
}

/** The same of up to a page of agents by id, deleted ones too: what they did is still theirs. */
export async function findAgentFacts(
  { db, tenantId }: TenantScope,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AgentFacts>> {
  const { id, projectId, tags, ownerId } = agent;
  const found = new Map<string, AgentFacts>();
  for (let i = 0; i < ids.length; i += 50) {
    const some = inArray(id, ids.slice(i, i + 50));
    const rows = await db
      .select({ id, projectId, tags, ownerId })
      .from(agent)
      .where(and(eq(agent.tenantId, tenantId), some));
    for (const row of rows) found.set(row.id, factsOf(tenantId, row));
  }
  return found;
}
