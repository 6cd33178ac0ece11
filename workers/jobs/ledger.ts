/**
 * LEDGER → the control plane: finished invocations and what they cost.
 *
 * The object is the record until it is told otherwise (DECISIONS 22). A message is only a wake-up;
 * what is owed is asked of the object, written here by id, and acknowledged after the write. Dying
 * anywhere in between repeats an upsert and nothing else.
 */
import { z } from "zod";
import { type PlatformScope, tenantScope } from "../../core/db/scope.ts";
import { upsertLedger } from "../../core/invocations/store.ts";
import { isId } from "../../core/ids.ts";
import { Problem } from "../../core/problem.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { type Batch, putOff } from "./batch.ts";

/** Rows asked of an object at once. */
const PAGE = 100;

export const LedgerWakeUp = z.object({
  tenantId: z.string().refine((id) => isId("tenant", id)),
  agentId: z.string(),
  environment: z.string(),
  replica: z.number().int(),
});

export type LedgerJob = {
  readonly platform: PlatformScope;
  readonly runtimeOf: (owner: Owner) => Pick<AgentRuntimeRpc, "ledger" | "acknowledge">;
};

/** Identical wake-ups of a batch are one visit; each is acknowledged after it. */
export async function consumeLedger(batch: Batch, job: LedgerJob): Promise<void> {
  const visits = Map.groupBy(batch.messages, ({ body }) => JSON.stringify(body));
  for (const messages of visits.values()) {
    try {
      const wakeUp = LedgerWakeUp.safeParse(messages[0]?.body);
      if (wakeUp.success) await drainLedger(job, wakeUp.data);
      for (const message of messages) message.ack();
    } catch (error) {
      for (const message of messages) putOff(message, error);
    }
  }
}

/** Carry over everything one object owes. */
async function drainLedger({ platform, runtimeOf }: LedgerJob, owner: Owner): Promise<void> {
  const scope = tenantScope(platform, owner.tenantId);
  const runtime = runtimeOf(owner);
  let last = -1;
  for (;;) {
    const { entries } = Problem.unwrap(await runtime.ledger(owner, PAGE));
    const [first] = entries;
    if (first === undefined) return;
    if (first.outboxId <= last) throw new Error("the object keeps what was acknowledged");
    last = first.outboxId;
    await upsertLedger(scope, entries);
    const ids = entries.map(({ outboxId }) => outboxId);
    Problem.unwrap(await runtime.acknowledge(owner, ids));
    // What ended meanwhile has a wake-up of its own.
    if (entries.length < PAGE) return;
  }
}
