import type { Release } from "../../core/deployments/release.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../api/runtime.ts";
import { forgetLiveAgent } from "../serve/live-agents.ts";
import { servicesOf } from "../edge/services.ts";
import type { Batch } from "./batch.ts";
import { consumeDeployments } from "./deployments.ts";
import { consumeLedger } from "./ledger.ts";

/** One consumer for each queue. Never throws for what a message holds. */
export async function consume(batch: Batch, env: Env): Promise<void> {
  const services = servicesOf(env);
  const job = {
    platform: services.platform,
    runtimeOf: (owner: Owner) => runtimeOf(env, owner),
    now: Date.now,
    swapped: (release: Release) => forgetLiveAgent(services, release),
  };
  switch (batch.queue) {
    case "berth-deployments":
      return consumeDeployments(batch, job);
    case "berth-ledger":
      return consumeLedger(batch, job);
    default:
      throw new Error(`no consumer for the queue ${batch.queue}`);
  }
}
