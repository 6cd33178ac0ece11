import type { Invocation } from "../../core/invocations/contract.ts";
import { isSealed } from "./content.ts";
import { batchOfKey } from "../../core/batches/key.ts";
import { userOf } from "../../core/limits/rules.ts";
import type { LedgerEntry, UsageRecord } from "./contract.ts";
import { onWire, withoutContent, type InvocationRow, type Naming } from "./invocations.ts";
import { askerOf } from "./spend.ts";
import type { Kernel } from "./kernel.ts";
import { firstRow, type StepRow, type StepSums } from "./steps.ts";

/**
 * Finished invocations the control plane has not acknowledged, oldest session first; two statements,
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
  const rows = kernel.sql.all<Omit<InvocationRow, "input" | "output" | "first_output">>(
    `SELECT id, principal, idem, session_id, version, status, attempt, error, input_tokens,
       output_tokens, model_calls, tool_calls, estimated, cost_micros, redriven_from, created_ms,
       completed_ms, first, branch, metadata
     FROM invocation WHERE pending = 2 ORDER BY session_id, turn LIMIT ?`,
    limit,
  );
  // Most have no step beside their first: then the table of the others is not asked.
  const more = rows.some(hasOthers);
  const others = more ? otherCalls(kernel, limit) : [];
  const usage = Map.groupBy(others, (call) => call.invocation_id);
  const projectId = kernel.releases.live(0)?.release.projectId;
  return rows.map((row) => {
    const { principal, metadata } = askerOf(kernel.sql, row);
    const slim = withoutContent({ ...row, metadata: null });
    const {
      input: _i,
      output: _o,
      metadata: _m,
      lineage: _l,
      forked_from: _f,
      ...invocation
    } = onWire(kernel.sql, slim, naming);
    return {
      invocation: { ...invocation, error: toldOutside(row, invocation.error) },
      agentId,
      principal,
      projectId,
      userId: userOf(principal, metadata),
      batchId: batchOfKey(row.idem),
      usage: [firstRow(row) ?? [], ...(usage.get(row.id) ?? [])]
        .flat()
        .flatMap((call) => usageOf(row.id, call)),
    };
  });
}

/** The listing is not sealed: of an error that is, it has the code alone. */
function toldOutside({ error }: Pick<InvocationRow, "error">, told: Invocation["error"]) {
  if (told === null || error === null || !isSealed(error)) return told;
  return { code: told.code, detail: "sealed; read the invocation" };
}

/** Tools, further model calls, or steps of its memory: those show in what it used beside its first. */
function hasOthers(row: Pick<InvocationRow, keyof StepSums | "first">): boolean {
  const first = firstRow(row);
  const used = row.input_tokens + row.output_tokens;
  return (
    row.model_calls + row.tool_calls > 1 ||
    used > (first?.input_tokens ?? 0) + (first?.output_tokens ?? 0)
  );
}

export function acknowledge(kernel: Kernel, ids: readonly string[]): void {
  kernel.sql.run(
    `UPDATE invocation SET pending = NULL
     WHERE pending = 2 AND id IN (SELECT value FROM json_each(?))`,
    JSON.stringify(ids),
  );
}

type Call = Omit<StepRow, "input" | "output" | "input_hash">;

function otherCalls(kernel: Kernel, limit: number): (Call & { readonly invocation_id: string })[] {
  return kernel.sql.all(
    `SELECT s.invocation_id, s.key, s.kind, s.name, s.input_tokens, s.output_tokens, s.estimated,
       s.cost_micros, s.started_ms, s.finished_ms
     FROM (SELECT id FROM invocation WHERE pending = 2 ORDER BY session_id, turn LIMIT ?) i
     JOIN step s ON s.invocation_id = i.id WHERE s.kind IN ('model', 'memory') OR s.cost_micros > 0`,
    limit,
  );
}

/** A usage record per model call and per tool call with a price; what used nothing owes nothing. */
function usageOf(invocationId: string, call: Call): UsageRecord[] {
  if (call.input_tokens + call.output_tokens + call.cost_micros === 0) return [];
  return [
    {
      id: `${invocationId}/${call.key}`,
      step: call.key,
      model: call.kind === "tool" ? `tool/${call.name}` : call.name,
      inputTokens: call.input_tokens,
      outputTokens: call.output_tokens,
      estimated: call.estimated === 1,
      costMicros: call.cost_micros,
      atMs: call.finished_ms ?? call.started_ms,
    },
  ];
}
