import type { TenantScope } from "../../core/db/scope.ts";
import { objectName } from "../../core/deployments/release.ts";
import { tagOf } from "../../core/ids.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem, type Refusal } from "../../core/problem.ts";
import type { LocationHint } from "../../core/tenants/contract.ts";
import { findObjectByTag } from "../../core/runtime-objects/store.ts";
import { countObjectCall } from "../../durable-objects/counters.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { missing } from "../edge/permits.ts";
import { demandCovered } from "./narrowing.ts";

/** An agent's object and the owner every call to it carries. */
export type Home = { readonly runtime: AgentRuntimeRpc; readonly owner: Owner };

/**
 * The object of `owner`. A fresh stub each time: one that failed once stays broken.
 *
 * @param location  Where it is made, when this is its first call ever; its name is the same anywhere.
 */
export function runtimeOf(
  env: Env,
  owner: Owner,
  location: LocationHint | null = null,
): AgentRuntimeRpc {
  const { tenantId, agentId, environment, replica } = owner;
  countObjectCall();
  const name = objectName(tenantId, agentId, environment, replica);
  const stub: unknown =
    location === null
      ? env.AGENT_RUNTIME.getByName(name)
      : env.AGENT_RUNTIME.getByName(name, { locationHint: location });
  // The generated stub type rewraps every method and loses our unions; the class implements this.
  return stub as AgentRuntimeRpc;
}

/** As much of a request's context as finding an object needs. */
type Reach = {
  readonly env: Env;
  get(key: "scope"): TenantScope;
  get(key: "principal"): Principal;
};

/**
 * The object that made an `inv_`, `apr_`, `cbk_`, `mry_` or `doc_` id, by the tag in it, in this tenant's own table alone.
 *
 * @throws Problem `not_found`, also for what is not the principal's to know of | `forbidden`
 */
export async function homeOf(
  c: Reach,
  id: string,
  noun: "invocation" | "approval" | "callback" | "memory" | "document" = "invocation",
): Promise<Home> {
  const scope = c.get("scope");
  const tag = tagOf(noun, id);
  const place = tag === undefined ? undefined : await findObjectByTag(scope, tag);
  if (place === undefined) throw missing(noun);
  await demandCovered(c, place, noun);
  const owner = { tenantId: scope.tenantId, ...place };
  return { runtime: runtimeOf(c.env, owner), owner };
}

/** The object's answer; a miss in our words, so that it is told from nothing else that is hidden. */
export function found<T extends { readonly ok: true }>(
  answer: T | Refusal,
  noun = "invocation",
): T {
  if (!answer.ok && answer.problem.code === "not_found") throw missing(noun);
  return Problem.unwrap(answer);
}
