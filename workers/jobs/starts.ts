/** Invocations that nobody sends: those of schedules and triggers. */
import type { TenantScope } from "../../core/db/scope.ts";
import { findLiveAgent } from "../../core/deployments/store-live.ts";
import { newId } from "../../core/ids.ts";
import type { InvokeBody } from "../../core/invocations/contract.ts";
import { Problem } from "../../core/problem.ts";
import { runtimeOf } from "../api/runtime.ts";
import { fingerprintOf } from "../edge/idempotency.ts";
import { ownerOf } from "../serve/homes.ts";

export type Start = {
  /** The schedule or trigger: the invocation's principal. */
  readonly sourceId: string;
  readonly agentId: string;
  readonly environment: string;
  /** What makes it one and the same however often it is started. */
  readonly key: string;
  readonly body: Pick<InvokeBody, "input" | "session_id" | "max_cost_micros">;
  /** Invocations that led to it, the first one first. */
  readonly lineage?: readonly string[];
};

/**
 * Start it, or find that it was started before.
 *
 * @returns  the invocation's id.
 * @throws Problem  what an invocation is refused for; `not_found` when the agent is gone.
 */
export async function start(
  env: Env,
  scope: TenantScope,
  { sourceId, agentId, environment, key, body, lineage }: Start,
  nowMs: number,
): Promise<string> {
  const agent = await findLiveAgent(scope, agentId, environment);
  if (agent === undefined) throw new Problem("not_found", "no such agent");
  const addressed = {
    principal: sourceId,
    sessionId: body.session_id,
    idempotencyKey: key,
  };
  const owner = await ownerOf(env, scope.tenantId, agent, addressed);
  const call = {
    owner,
    generation: agent.generation,
    principal: sourceId,
    idempotencyKey: key,
    // The key says all: another input under it, after a change of the schedule, is the same work.
    fingerprint: fingerprintOf("START", `${sourceId} ${key}`, null),
    input: JSON.stringify(body.input),
    requestId: newId("request", nowMs),
    deltas: false,
    ...(body.session_id === undefined ? {} : { sessionId: body.session_id }),
    ...(body.max_cost_micros === undefined ? {} : { maxCostMicros: body.max_cost_micros }),
    ...(lineage === undefined ? {} : { lineage }),
  };
  return Problem.unwrap(await runtimeOf(env, owner).invoke(call, 0)).id;
}
