import { getAgent } from "../../core/agents/store.ts";
import type { LiveAgent } from "../../core/deployments/contract.ts";
import { findLiveAgent } from "../../core/deployments/store-live.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { placeOf } from "../api/narrowing.ts";
import type { Arrival } from "../edge/arrival.ts";
import { ReadCache, type Found } from "../edge/cache.ts";
import { missing, permits, refusalOf } from "../edge/permits.ts";
import type { Services } from "../edge/services.ts";

const AGENTS_KEPT = 10_000;

const caches = new WeakMap<Services, ReadCache<LiveAgent>>();

/** What is looked up, and by whom. */
export type Wanted = {
  readonly arrival: Arrival;
  readonly principal: Principal;
  /** Id or slug. */
  readonly agent: string;
  readonly environment: string;
  /** The body of the invocation, where there is one: statements may look at it. */
  readonly body?: unknown;
};

/**
 * The agent that is live under this name; a promise only when the store must be asked.
 *
 * @throws Problem `not_found` for one that is not there, not live, or not the principal's to know |
 *         `forbidden` for one that it may know of
 */
export function liveAgent(wanted: Wanted): LiveAgent | Promise<LiveAgent> {
  const found = lookUp(wanted);
  return found instanceof Promise
    ? found.then(
        (agent) => permitted(agent, wanted),
        (error: unknown) => concealed(error, wanted),
      )
    : permitted(found, wanted);
}

/** Something else is live now: this isolate looks it up anew, under its id and its slug. */
export function forgetLiveAgent(
  services: Services,
  { tenantId, agentId, agentSlug, environment }: Swapped,
): void {
  for (const name of [agentId, agentSlug]) {
    cacheOf(services).forget(keyOf(tenantId, environment, name));
  }
}

/** The tenant's agents, or what they run with, changed: this isolate looks them all up anew. */
export function forgetLiveAgentsOf(services: Services, tenantId: string): void {
  cacheOf(services).forgetAll(keysOf(tenantId));
}

export type Swapped = {
  readonly tenantId: string;
  readonly agentId: string;
  readonly agentSlug: string;
  readonly environment: string;
};

function lookUp({ arrival, agent, environment }: Wanted): Found<LiveAgent> {
  if (arrival.at !== "tenant") throw missing("agent");
  const { services, nowMs, keep } = arrival;
  const { scope } = arrival.residence;
  const key = keyOf(scope.tenantId, environment, agent);
  return cacheOf(services).get(key, nowMs, () => findLiveAgent(scope, agent, environment), keep);
}

function cacheOf(services: Services): ReadCache<LiveAgent> {
  let cache = caches.get(services);
  if (cache === undefined) {
    cache = new ReadCache(services.config.credentialCacheMs, AGENTS_KEPT);
    caches.set(services, cache);
  }
  return cache;
}

/** Slugs and ids hold no space; the tenant's id comes first so that no key crosses tenants. */
function keyOf(tenantId: string, environment: string, name: string): string {
  return `${keysOf(tenantId)}${environment} ${name}`;
}

/** What all keys of a tenant begin with. */
function keysOf(tenantId: string): string {
  return `${tenantId} `;
}

/** That an agent is there and not live is for those alone who may know of it. */
async function concealed(error: unknown, wanted: Wanted): Promise<never> {
  const { arrival, principal, environment } = wanted;
  if (arrival.at !== "tenant") throw error;
  if (!(error instanceof Problem) || error.code !== "not_deployed") throw error;
  const agent = await getAgent(arrival.residence.scope, wanted.agent);
  const place = { ...placeOf(agent), environment };
  throw permits(principal, place, wanted.body) ? error : refusalOf(principal, place, "agent");
}

function permitted(agent: LiveAgent | undefined, { principal, body }: Wanted): LiveAgent {
  if (agent === undefined) throw missing("agent");
  if (permits(principal, agent, body)) return agent;
  throw refusalOf(principal, agent, "agent");
}
