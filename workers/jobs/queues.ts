import type { Config } from "../../core/config.ts";
import type { Release } from "../../core/deployments/release.ts";
import type { LocationHint } from "../../core/tenants/contract.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";
import { forgetLiveAgent } from "../serve/live-agents.ts";
import { servicesOf } from "../edge/services.ts";
import type { Batch } from "./batch.ts";
import { consumeBatches } from "./batches.ts";
import { type DeploymentStage, consumeDeployments } from "./deployments.ts";
import { consumeLedger } from "./ledger.ts";
import { fireTriggers } from "./triggers.ts";

/** One consumer for each queue. Never throws for what a message holds. */
export async function consume(batch: Batch, env: Env): Promise<void> {
  const services = servicesOf(env);
  const job = {
    platform: services.platform,
    runtimeOf: (owner: Owner, location: LocationHint | null = null) =>
      runtimeOf(env, owner, location),
    now: Date.now,
    swapped: (release: Release) => forgetLiveAgent(services, release),
    passed: faultsOf(services.config),
  };
  switch (batch.queue) {
    case "berth-deployments":
      return consumeDeployments(batch, job);
    case "berth-ledger":
      return consumeLedger(batch, {
        ...job,
        ended: (scope, ends) => fireTriggers(env, scope, ends, Date.now()),
      });
    case "berth-batches":
      return consumeBatches(batch, env);
    default:
      throw new Error(`no consumer for the queue ${batch.queue}`);
  }
}

const struck = new WeakMap<Config, Set<string>>();

/**
 * `deployment-<stage>` in FAULT_POINTS: the consumer fails there once, as if it had died. The
 * configuration refuses fault points in production.
 */
function faultsOf(config: Config): (stage: DeploymentStage) => void {
  return (stage) => {
    const point = `deployment-${stage}`;
    if (!config.faultPoints.includes(point)) return;
    const before = struck.get(config) ?? new Set();
    if (before.has(point)) return;
    struck.set(config, before.add(point));
    throw new Error(`fault point ${point}`);
  };
}
