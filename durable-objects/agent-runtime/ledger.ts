import type { LedgerEntry, UsageRecord } from "./contract.ts";
import { findInvocation, onWire, type Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { listSteps } from "./steps.ts";

/**
 * Finished invocations the control plane has not acknowledged, oldest first.
 *
 * They stay until `acknowledge` names them: a lost queue message or a crash of the consumer sends
 * them again, and their ids make that harmless (DECISIONS 22).
 */
export function ledgerPage(
  kernel: Kernel,
  agentId: string,
  naming: Naming,
  limit: number,
): LedgerEntry[] {
  const rows = kernel.sql.all<{ id: number; invocation_id: string }>(
    "SELECT id, invocation_id FROM outbox ORDER BY id LIMIT ?",
    limit,
  );
  return rows.flatMap(({ id, invocation_id: invocationId }): LedgerEntry[] => {
    const row = findInvocation(kernel.sql, invocationId);
    if (!row) return [];
    const slim = { ...row, input: '=""', output: null };
    const {
      input: _i,
      output: _o,
      metadata: _m,
      lineage: _l,
      ...invocation
    } = onWire(kernel.sql, slim, naming);
    const usage = usageOf(kernel, invocationId);
    return [{ outboxId: id, invocation, agentId, principal: row.principal, usage }];
  });
}

export function acknowledge(kernel: Kernel, outboxIds: readonly number[]): void {
  kernel.sql.transaction(() => {
    for (const id of outboxIds) kernel.sql.run("DELETE FROM outbox WHERE id = ?", id);
  });
}

/** A usage record per model call; a call that used nothing owes nothing. */
function usageOf(kernel: Kernel, invocationId: string): UsageRecord[] {
  return listSteps(kernel.sql, invocationId)
    .filter((step) => step.kind === "model" && step.input_tokens + step.output_tokens > 0)
    .map((step) => ({
      id: `${invocationId}/${step.key}`,
      step: step.key,
      model: step.name,
      inputTokens: step.input_tokens,
      outputTokens: step.output_tokens,
      estimated: step.estimated === 1,
      costMicros: step.cost_micros,
      atMs: step.finished_ms ?? step.started_ms,
    }));
}
