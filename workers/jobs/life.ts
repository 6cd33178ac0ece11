/** What exports, imports and erasures are handed: the whole platform, as this Worker reaches it. */
import { TABLES } from "../../migrations/tables.ts";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { gateOf } from "../api/gate.ts";
import { hostnamePorts } from "../api/hostname-ports.ts";
import { runtimeOf } from "../api/runtime.ts";
import { servicesOf } from "../edge/services.ts";
import type { ErasureJob } from "./erasures.ts";
import type { TransferJob } from "./transfer.ts";

export function lifeJob(env: Env): TransferJob & ErasureJob {
  const { config, platform } = servicesOf(env);
  return {
    platform,
    config,
    masterKeys: config.masterKeys,
    tables: TABLES,
    now: Date.now,
    runtimeOf: (owner: Owner) => runtimeOf(env, owner),
    gateOf: (tenantId) => gateOf(env, tenantId),
    edge: hostnamePorts(config).edge,
  };
}
