/**
 * What a narrowed key reaches: one agent, one environment, or both.
 *
 * What lies outside is answered as missing (G7). What concerns the whole tenant is refused: that
 * it exists is no secret.
 */
import type { Agent } from "../../core/agents/contract.ts";
import { getAgent } from "../../core/agents/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Page } from "../../core/page.ts";
import { type Principal, covers } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";

/** As much of a request's context as this needs. */
export type Reach = {
  get(key: "scope"): TenantScope;
  get(key: "principal"): Principal;
};

/** The one answer for what is not there and for what the caller may not know of. */
export function missing(noun: string): Problem {
  return new Problem("not_found", `no such ${noun}`);
}

/**
 * The agent of that id or slug, when the principal covers it.
 *
 * @throws Problem `not_found`
 */
export async function reachAgent(c: Reach, idOrSlug: string): Promise<Agent> {
  const agent = await getAgent(c.get("scope"), idOrSlug);
  if (covers(c.get("principal"), agent.id)) return agent;
  throw missing("agent");
}

/** @throws Problem `not_found` of `noun` when the principal does not cover it. */
export function demandCovered(
  principal: Principal,
  { agentId, environment }: { readonly agentId: string; readonly environment: string },
  noun: string,
): void {
  if (!covers(principal, agentId, environment)) throw missing(noun);
}

/** @throws Problem `forbidden` when the principal is narrowed at all. */
export function demandWholeTenant({ agentId, environment }: Principal): void {
  if (agentId === undefined && environment === undefined) return;
  throw new Problem("forbidden", "the credential is narrowed to a part of the tenant");
}

/** @throws Problem `forbidden` when the principal is narrowed to one environment. */
export function demandEveryEnvironment({ environment }: Principal): void {
  if (environment === undefined) return;
  throw new Problem("forbidden", "the credential is narrowed to one environment");
}

/**
 * A list's query held within the principal's agent.
 *
 * @throws Problem `not_found` when it asks for another one.
 */
export async function narrowed<Q extends { readonly agent?: string | undefined }>(
  c: Reach,
  query: Q,
): Promise<Q> {
  const { agentId } = c.get("principal");
  if (agentId === undefined) return query;
  if (query.agent !== undefined) await reachAgent(c, query.agent);
  return { ...query, agent: agentId };
}

/** The rows of a page that the principal's environment covers; such a page may be short. */
export function withinEnvironment<T extends { readonly environment: string }>(
  { environment }: Principal,
  page: Page<T>,
): Page<T> {
  if (environment === undefined) return page;
  return { ...page, data: page.data.filter((row) => row.environment === environment) };
}
