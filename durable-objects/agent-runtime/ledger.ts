import type { LedgerEntry, UsageRecord } from "./contract.ts";
import { onWire, withoutContent, type InvocationRow, type Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { StepRow } from "./steps.ts";

/**
 * Finished invocations the control plane has not acknowledged, oldest first; two statements,
 * however many they are.
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
  const rows = kernel.sql.all<Omit<InvocationRow, "input" | "output"> & { outbox_id: number }>(
    `SELECT o.id AS outbox_id, i.id, i.principal, i.session_id, i.version, i.status, i.attempt,
       i.error, i.input_tokens, i.output_tokens, i.model_calls, i.tool_calls, i.estimated,
       i.cost_micros, i.redriven_from, i.created_ms, i.completed_ms
     FROM (SELECT id, invocation_id FROM outbox ORDER BY id LIMIT ?) o
     JOIN invocation i ON i.id = o.invocation_id ORDER BY o.id`,
    limit,
  );
  const usage = usageOf(kernel, limit);
  return rows.map((row) => {
    const slim = withoutContent({ ...row, metadata: null });
    const {
      input: _i,
      output: _o,
      metadata: _m,
      lineage: _l,
      ...invocation
    } = onWire(kernel.sql, slim, naming);
    return {
      outboxId: row.outbox_id,
      invocation,
      agentId,
      principal: row.principal,
      usage: usage.get(row.id) ?? [],
    };
  });
}

export function acknowledge(kernel: Kernel, outboxIds: readonly number[]): void {
  kernel.sql.run(
    "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))",
    JSON.stringify(outboxIds),
  );
}

type CallRow = Omit<StepRow, "input" | "output" | "input_hash"> & {
  readonly invocation_id: string;
};

/** A usage record per model call; a call that used nothing owes nothing. */
function usageOf(kernel: Kernel, limit: number): Map<string, UsageRecord[]> {
  const calls = kernel.sql.all<CallRow>(
    `SELECT s.invocation_id, s.key, s.name, s.input_tokens, s.output_tokens, s.estimated,
       s.cost_micros, s.started_ms, s.finished_ms
     FROM (SELECT id, invocation_id FROM outbox ORDER BY id LIMIT ?) o
     JOIN step s ON s.invocation_id = o.invocation_id
     WHERE s.kind = 'model' AND s.input_tokens + s.output_tokens > 0`,
    limit,
  );
  const usage = new Map<string, UsageRecord[]>();
  for (const call of calls) {
    const records = usage.get(call.invocation_id) ?? [];
    usage.set(call.invocation_id, records);
    records.push({
      id: `${call.invocation_id}/${call.key}`,
      step: call.key,
      model: call.name,
      inputTokens: call.input_tokens,
      outputTokens: call.output_tokens,
      estimated: call.estimated === 1,
      costMicros: call.cost_micros,
      atMs: call.finished_ms ?? call.started_ms,
    });
  }
  return usage;
}
