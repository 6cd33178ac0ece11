/**
 * What a principal reaches: a narrowed key its agent, project or environment, a user or an app
 * client what its statements allow.
 *
 * What lies outside is answered as missing (G7). What concerns the whole tenant is refused: that
 * it exists is no secret.
 */
import type { Agent } from "../../core/agents/contract.ts";
import { findAgentFacts } from "../../core/agents/live.ts";
import { getAgent } from "../../core/agents/store.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { listEnvironments } from "../../core/environments/store.ts";
import type { Page } from "../../core/page.ts";
import { holds, type Principal, type Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import {
  looksAtAgents,
  missing,
  notWhole,
  permits,
  type Place,
  refusalOf,
  wholeTenant,
} from "../edge/permits.ts";

/** As much of a request's context as this needs. */
export type Reach = {
  get(key: "scope"): TenantScope;
  get(key: "principal"): Principal;
};

/** An agent and the environment it is asked for in. */
export type Whereabouts = { readonly agentId: string; readonly environment: string };

/**
 * The agent of that id or slug, when the principal may do to it what the route is for.
 *
 * @param environment  Where the request acts; left out for what concerns the agent everywhere.
 * @throws Problem `not_found` | `forbidden`
 */
export async function reachAgent(c: Reach, idOrSlug: string, environment?: string): Promise<Agent> {
  const agent = await getAgent(c.get("scope"), idOrSlug);
  demandPermitted(c, { ...placeOf(agent), environment }, "agent");
  return agent;
}

/**
 * The agent of that id or slug, when the principal may do what the route is for in some
 * environment at least: what it then sees is looked at by environment.
 *
 * @throws Problem `not_found` | `forbidden`
 */
export async function reachSomewhere(c: Reach, idOrSlug: string): Promise<Agent> {
  const agent = await getAgent(c.get("scope"), idOrSlug);
  const principal = c.get("principal");
  const place = placeOf(agent);
  if (permits(principal, place)) return agent;
  if (principal.grants !== undefined) {
    const environments = await listEnvironments(c.get("scope"));
    if (environments.some(({ slug }) => permits(principal, { ...place, environment: slug }))) {
      return agent;
    }
  }
  throw refusalOf(principal, place, "agent");
}

/** An agent's facts, for `permits`. */
export function placeOf(agent: Agent): Place {
  const { id: agentId, project_id: projectId, tags, owner_id: ownerId } = agent;
  return { agentId, projectId, tags, ownerId };
}

/** @throws Problem `not_found` of `noun`, or `forbidden` when the principal may know of it */
export function demandPermitted(c: Reach, place: Place, noun: string): void {
  const principal = c.get("principal");
  if (!permits(principal, place)) throw refusalOf(principal, place, noun);
}

/**
 * The same for what an agent did or has in an environment; its facts are read where they matter.
 *
 * @throws Problem `not_found` of `noun`, or `forbidden` when the principal may know of it
 */
export async function demandCovered(c: Reach, at: Whereabouts, noun: string): Promise<void> {
  demandPermitted(c, await placeAt(c, at), noun);
}

/**
 * What is left to run by itself invokes for whoever set it up: only who could invoke may.
 *
 * @throws Problem `forbidden`
 */
export async function demandInvoking(c: Reach, at: Whereabouts): Promise<void> {
  await demandAlso(c, at, "agents:invoke");
}

/** The same where what it takes in are stored requests. @throws Problem `forbidden` */
export async function demandReading(c: Reach, at: Whereabouts): Promise<void> {
  await demandAlso(c, at, "invocations:read");
}

async function demandAlso(c: Reach, at: Whereabouts, scope: Scope): Promise<void> {
  const principal = c.get("principal");
  const place = await placeAt(c, at);
  const asking = principal.asked && { ...principal.asked, scope };
  const allowed =
    holds(principal, scope) && permits(asking ? { ...principal, asked: asking } : principal, place);
  if (!allowed) throw new Problem("forbidden", `the scope ${scope} is needed there`);
}

/** @throws Problem `forbidden` when the principal is held to less than the whole tenant. */
export function demandWholeTenant(principal: Principal): void {
  if (!wholeTenant(principal)) throw notWhole();
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
  if (query.agent !== undefined) {
    const agent = await getAgent(c.get("scope"), query.agent);
    if (agent.id !== agentId) throw missing("agent");
  }
  return { ...query, agent: agentId };
}

/** The rows of a page that the principal may see; such a page may be short. */
export async function permitted<T>(
  c: Reach,
  page: Page<T>,
  whereOf: (row: T) => Whereabouts,
): Promise<Page<T>> {
  const principal = c.get("principal");
  const places = await placesOf(c, page.data.map(whereOf));
  return {
    ...page,
    data: page.data.filter((_row, i) => places[i] && permits(principal, places[i])),
  };
}

/** One place with what is decided on, where that matters to the principal. */
export async function placeAt(c: Reach, at: Whereabouts): Promise<Place> {
  const [place] = await placesOf(c, [at]);
  return place ?? { ...at, projectId: "" };
}

/** Places with what is decided on; facts are read only for a principal that they matter to. */
async function placesOf(c: Reach, where: readonly Whereabouts[]): Promise<readonly Place[]> {
  const wanted = looksAtAgents(c.get("principal"))
    ? [...new Set(where.map(({ agentId }) => agentId))]
    : [];
  const facts = await findAgentFacts(c.get("scope"), wanted);
  // An agent that left no row is in no project: whoever is held to one does not see what it did.
  return where.map((at) => ({ projectId: "", ...facts.get(at.agentId), ...at }));
}
