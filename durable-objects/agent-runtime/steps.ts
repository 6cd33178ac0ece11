import type { Step } from "../../core/invocations/contract.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { ModelAnswer } from "../../core/models/contract.ts";
import type { ToolResult } from "../../core/tools/contract.ts";
import { pack, unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

/** What a finished step gave; the journal's replayable input. */
export type StepOutput =
  | { readonly answer: ModelAnswer }
  | { readonly result: ToolResult }
  | { readonly failure: { readonly code: string; readonly detail: string } };

/** One step is one row, and that row is also its effect (DECISIONS 9). */
export type StepRow = {
  readonly key: string;
  readonly kind: "model" | "tool";
  readonly name: string;
  readonly state: "planned" | "sent" | "done" | "failed" | "unknown";
  readonly attempt: number;
  readonly input_hash: string;
  readonly input: string | null;
  readonly output: string | null;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly estimated: number;
  readonly cost_micros: number;
  readonly started_ms: number;
  readonly finished_ms: number | null;
};

/** Key of model call `i` of a run at place `k` of the fallback list. */
export function modelKey(i: number, k: number): string {
  return `model.${i}#${k}`;
}

/** Key of tool call `j` that model call `i` asked for. */
export function toolKey(i: number, j: number): string {
  return `tool.${i}#${j}`;
}

export type StepStart = {
  readonly invocationId: string;
  readonly key: string;
  readonly kind: "model" | "tool";
  readonly name: string;
  readonly attempt: number;
  readonly inputHash: string;
  /** Stored for tools; a model's input is rebuilt from the session and held by its hash. */
  readonly input?: string;
  readonly nowMs: number;
};

/** What a call used; added to what an earlier, lost send of the same step used. */
export type StepCost = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly estimated: boolean;
  readonly costMicros: number;
};

export const NO_COST: StepCost = {
  inputTokens: 0,
  outputTokens: 0,
  estimated: false,
  costMicros: 0,
};

/** Record that a step's effect may now reach the outside: written before the call is made. */
export function markSent(sql: Sql, step: StepStart): void {
  const input =
    step.input === undefined
      ? null
      : pack(sql, `${step.invocationId}/${step.key}/input`, step.input);
  sql.run(
    `INSERT INTO step VALUES (?, ?, ?, ?, 'sent', ?, ?, ?, NULL, 0, 0, 0, 0, ?, NULL)
     ON CONFLICT (invocation_id, key) DO UPDATE SET
       name = excluded.name, state = 'sent', attempt = excluded.attempt,
       output = NULL, finished_ms = NULL`,
    step.invocationId,
    step.key,
    step.kind,
    step.name,
    step.attempt,
    step.inputHash,
    input,
    step.nowMs,
  );
}

/** Write a step's outcome once: a row that is already finished stays as it is. */
export function finishStep(
  sql: Sql,
  invocationId: string,
  key: string,
  state: "done" | "failed" | "unknown",
  output: StepOutput,
  cost: StepCost,
  nowMs: number,
): void {
  sql.run(
    `UPDATE step SET state = ?, output = ?, finished_ms = ?,
       input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
       estimated = max(estimated, ?), cost_micros = cost_micros + ?
     WHERE invocation_id = ? AND key = ? AND state = 'sent'`,
    state,
    pack(sql, `${invocationId}/${key}/output`, JSON.stringify(output)),
    nowMs,
    cost.inputTokens,
    cost.outputTokens,
    cost.estimated ? 1 : 0,
    cost.costMicros,
    invocationId,
    key,
  );
}

/** Count what a send that got no answer is taken to have cost (GUARANTEES row 13). */
export function chargeLost(sql: Sql, invocationId: string, key: string, cost: StepCost): void {
  sql.run(
    `UPDATE step SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
       estimated = 1, cost_micros = cost_micros + ? WHERE invocation_id = ? AND key = ?`,
    cost.inputTokens,
    cost.outputTokens,
    cost.costMicros,
    invocationId,
    key,
  );
}

export function findStep(sql: Sql, invocationId: string, key: string): StepRow | undefined {
  return sql.one<StepRow>(
    "SELECT * FROM step WHERE invocation_id = ? AND key = ?",
    invocationId,
    key,
  );
}

/** In the order of the run, which the clock does not always tell: a call, then its tools. */
export function listSteps(sql: Sql, invocationId: string): StepRow[] {
  const rows = sql.all<StepRow>("SELECT * FROM step WHERE invocation_id = ?", invocationId);
  return rows.toSorted((a, b) => {
    const [ai = 0, an = 0] = numbersOf(a.key);
    const [bi = 0, bn = 0] = numbersOf(b.key);
    return ai - bi || a.kind.localeCompare(b.kind) || an - bn;
  });
}

function numbersOf(key: string): number[] {
  return [...key.matchAll(/\d+/g)].map(([digits]) => Number(digits));
}

export function outputOf(sql: Sql, row: StepRow): StepOutput | undefined {
  return row.output === null ? undefined : (JSON.parse(unpack(sql, row.output)) as StepOutput);
}

/** The wire form of a step. */
export function stepOnWire(sql: Sql, row: StepRow): Step {
  return {
    key: row.key,
    kind: row.kind,
    name: row.name,
    state: row.state,
    attempt: row.attempt,
    input: row.input === null ? null : (JSON.parse(unpack(sql, row.input)) as unknown),
    output: outputOf(sql, row) ?? null,
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cost_micros: row.cost_micros,
    started_at: rfc3339(row.started_ms),
    finished_at: row.finished_ms === null ? null : rfc3339(row.finished_ms),
  };
}
