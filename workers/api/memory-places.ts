/** Whose memory a request is about, and how its object is found. */
import type { z } from "zod";
import type { TenantScope } from "../../core/db/scope.ts";
import { pageOf, type Page } from "../../core/page.ts";
import type { Principal } from "../../core/principals/contract.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import type { Text } from "../../durable-objects/agent-runtime/text.ts";
import type { Arrival } from "../edge/arrival.ts";
import { liveAgent } from "../serve/live-agents.ts";
import { reachAgent } from "./narrowing.ts";
import { type Home, runtimeOf } from "./runtime.ts";

type Reach = {
  readonly env: Env;
  get(key: "scope"): TenantScope;
  get(key: "principal"): Principal;
  get(key: "arrival"): Arrival;
};

type Of = { readonly agent: string; readonly environment: string };

/**
 * The memory of an agent in an environment. It is in one object: an agent with one has no replicas.
 *
 * @throws Problem `not_found` | `forbidden`
 */
export async function placeOfMemory(c: Reach, of: Of): Promise<Home> {
  const agent = await reachAgent(c, of.agent, of.environment);
  return homeIn(c, agent.id, of.environment);
}

/** The same of one that runs, with the generation that is live: it may have to fetch its release. */
export async function readyPlace(
  c: Reach,
  { agent, environment }: Of,
): Promise<Home & { readonly generation: number }> {
  const wanted = { arrival: c.get("arrival"), principal: c.get("principal"), agent, environment };
  const { agentId, generation } = await liveAgent(wanted);
  return { ...homeIn(c, agentId, environment), generation };
}

/** Rows that an object sent as a list of one more than was asked for. */
export async function pageOfRows<T extends z.ZodType>(
  schema: T,
  body: Text,
  limit: number,
  keyOf: (row: z.output<T>) => string,
): Promise<Page<z.output<T>>> {
  const rows = schema.array().parse(await new Response(body).json());
  return pageOf(rows, limit, keyOf);
}

/** Epoch ms of an RFC 3339 time. */
export function timeOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}

function homeIn(c: Reach, agentId: string, environment: string): Home {
  const owner: Owner = { tenantId: c.get("scope").tenantId, agentId, environment, replica: 0 };
  return { runtime: runtimeOf(c.env, owner), owner };
}
