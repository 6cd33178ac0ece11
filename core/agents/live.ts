import { type SQL, and, eq, isNull } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { isId } from "../ids.ts";
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
