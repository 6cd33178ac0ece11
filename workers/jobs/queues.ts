import { runtimeOf } from "../api/runtime.ts";
import { servicesOf } from "../edge/services.ts";
import type { Batch } from "./batch.ts";
import { consumeDeployments } from "./deployments.ts";
import { consumeLedger } from "./ledger.ts";

/** One consumer for each queue. Never throws for what a message holds. */
export async function consume(batch: Batch, env: Env): Promise<void> {
  const job = {
    platform: servicesOf(env).platform,
    runtimeOf: (owner: Parameters<typeof runtimeOf>[1]) => runtimeOf(env, owner),
    now: Date.now,
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
