import type { Step } from "../../core/invocations/contract.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { Recalled } from "../../core/memories/contract.ts";
import type { ModelAnswer } from "../../core/models/contract.ts";
import type { ToolResult } from "../../core/tools/contract.ts";
import { pack, unpack } from "./content.ts";
import type { Sql } from "./sql.ts";

/** What an upstream answered; the words themselves are the invocation's output. */
export type UpstreamStep = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly size_bytes: number;
  /** Of the output that was made of it: SHA-256 of its JSON, base64url. */
  readonly output_sha256: string;
};

/** What a finished step gave; the journal's replayable input. */
export type StepOutput =
  | { readonly answer: ModelAnswer }
  | { readonly result: ToolResult }
  | { readonly recalled: RecalledPassages }
  | { readonly response: UpstreamStep }
  | { readonly failure: { readonly code: string; readonly detail: string } };

/** What a turn recalled before its first model call. */
export type RecalledPassages = {
  readonly passages: readonly Recalled[];
  /** What compared; null when words alone decided. */
  readonly embedding: string | null;
  /** Why words alone did: the provider of embeddings' words. */
  readonly failure?: string;
};

type StepKind = Step["kind"];

/**
 * One step is one row, and that row is also its effect (DECISIONS 9). The first step of an
 * invocation, its first call of its first model, stands in the invocation's own row: most have no
 * other, and then accepting and settling are one statement each.
 */
export type StepRow = {
  readonly key: string;
  readonly kind: StepKind;
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
  /** How often it was put off or sent again without an outcome; null for never. */
  readonly tries?: number | null;
};

/** Key of model call `i` of a run at place `k` of the fallback list. */
export function modelKey(i: number, k: number): string {
  return `model.${i}#${k}`;
}

/** Key of tool call `j` that model call `i` asked for. */
export function toolKey(i: number, j: number): string {
  return `tool.${i}#${j}`;
}

/** Key of what makes tool call `j` of model call `i` undone. */
export function undoKey(toolsKey: string): string {
  return toolsKey.replace("tool.", "undo.");
}

const FIRST = modelKey(0, 0);

export type StepStart = {
  readonly invocationId: string;
  readonly key: string;
  readonly kind: StepKind;
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

/** The first step as the invocation's row has it. */
export type FirstStep = Omit<StepRow, "key" | "kind" | "input" | "output">;

/** A first step and what it gave, for the row that is about to be ended. */
export type FinishedFirst = { readonly step: FirstStep; readonly output: StepOutput };

/** A first step that may now reach the outside, for the row that is about to be written. */
export function firstSent(
  step: Pick<StepStart, "name" | "attempt" | "inputHash" | "nowMs">,
): FirstStep {
  return {
    name: step.name,
    state: "sent",
    attempt: step.attempt,
    input_hash: step.inputHash,
    input_tokens: 0,
    output_tokens: 0,
    estimated: 0,
    cost_micros: 0,
    started_ms: step.nowMs,
    finished_ms: null,
  };
}

/** The same with its outcome. */
export function firstFinished(
  first: FirstStep,
  state: "done" | "failed" | "unknown",
  cost: StepCost,
  nowMs: number,
): FirstStep {
  return { ...charged(first, cost), state, finished_ms: nowMs };
}

/** Record that a step's effect may now reach the outside: written before the call is made. */
export function markSent(sql: Sql, step: StepStart): void {
  if (step.key === FIRST) {
    const before = findFirst(sql, step.invocationId);
    const sent = firstSent(step);
    const used = before && {
      input_tokens: before.input_tokens,
      output_tokens: before.output_tokens,
      estimated: before.estimated,
      cost_micros: before.cost_micros,
      started_ms: before.started_ms,
    };
    writeFirst(sql, step.invocationId, { ...sent, ...used }, null);
    return;
  }
  const input =
    step.input === undefined
      ? null
      : pack(sql, `${step.invocationId}/${step.key}/input`, step.input);
  sql.run(
    `INSERT INTO step VALUES (?, ?, ?, ?, 'sent', ?, ?, ?, NULL, 0, 0, 0, 0, ?, NULL, NULL)
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
  const packed = packOutput(sql, invocationId, key, output);
  if (key === FIRST) {
    const first = findFirst(sql, invocationId);
    if (first?.state !== "sent") return;
    writeFirst(sql, invocationId, firstFinished(first, state, cost, nowMs), packed);
    return;
  }
  sql.run(
    `UPDATE step SET state = ?, output = ?, finished_ms = ?,
       input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,
       estimated = max(estimated, ?), cost_micros = cost_micros + ?
     WHERE invocation_id = ? AND key = ? AND state IN ('planned', 'sent', 'unknown')`,
    state,
    packed,
    nowMs,
    cost.inputTokens,
    cost.outputTokens,
    cost.estimated ? 1 : 0,
    cost.costMicros,
    invocationId,
    key,
  );
}

/** From one state that is not final to another. */
export function moveStep(
  sql: Sql,
  invocationId: string,
  key: string,
  from: "planned" | "sent" | "unknown",
  to: "planned" | "sent" | "unknown",
): void {
  sql.run(
    "UPDATE step SET state = ? WHERE invocation_id = ? AND key = ? AND state = ?",
    to,
    invocationId,
    key,
    from,
  );
}

/** Counted: it was put off, or goes out once more. */
export function triedAgain(sql: Sql, invocationId: string, key: string): void {
  sql.run(
    "UPDATE step SET tries = coalesce(tries, 0) + 1 WHERE invocation_id = ? AND key = ?",
    invocationId,
    key,
  );
}

/** Is a call of it to be made once more? Then all that its model said is said. */
export function putsOff(sql: Sql, invocationId: string): boolean {
  const row = sql.one(
    `SELECT 1 FROM step WHERE invocation_id = ? AND tries > 0 AND state IN ('planned', 'sent')
     LIMIT 1`,
    invocationId,
  );
  return row !== undefined;
}

/** A step's output as its column keeps it. */
export function packOutput(
  sql: Sql,
  invocationId: string,
  key: string,
  output: StepOutput,
): string {
  return pack(sql, `${invocationId}/${key}/output`, JSON.stringify(output));
}

/** Count what a send that got no answer is taken to have cost (GUARANTEES row 13). */
export function chargeLost(sql: Sql, invocationId: string, key: string, cost: StepCost): void {
  if (key === FIRST) {
    const first = findFirst(sql, invocationId);
    if (first) changeFirst(sql, invocationId, charged(first, { ...cost, estimated: true }));
    return;
  }
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

/**
 * What was sent and will never be answered: whether a tool's call took effect is unknown, any other
 * has failed, as has what was only planned.
 */
export function closeSent(sql: Sql, invocationId: string, nowMs: number): void {
  const first = findFirst(sql, invocationId);
  if (first?.state === "sent") {
    changeFirst(sql, invocationId, firstFinished(first, "failed", NO_COST, nowMs));
  }
  sql.run(
    `UPDATE step SET finished_ms = ?,
       state = CASE WHEN kind IN ('tool', 'compensation', 'upstream') AND state = 'sent' THEN 'unknown'
         ELSE 'failed' END
     WHERE invocation_id = ? AND state IN ('planned', 'sent')`,
    nowMs,
    invocationId,
  );
}

export function findStep(sql: Sql, invocationId: string, key: string): StepRow | undefined {
  if (key !== FIRST) {
    return sql.one<StepRow>(
      "SELECT * FROM step WHERE invocation_id = ? AND key = ?",
      invocationId,
      key,
    );
  }
  const row = sql.one<{ first: string | null; first_output: string | null }>(
    "SELECT first, first_output FROM invocation WHERE id = ?",
    invocationId,
  );
  return row && firstRow(row);
}

/** The first step of an invocation's row in the form of all others. */
export function firstRow(row: {
  readonly first: string | null;
  readonly first_output?: string | null;
}): StepRow | undefined {
  if (row.first === null) return undefined;
  const first = JSON.parse(row.first) as FirstStep;
  return { key: FIRST, kind: "model", ...first, input: null, output: row.first_output ?? null };
}

/** In the order of the run, which the clock does not always tell: a call, then its tools, what was
 * undone last. */
export function listSteps(sql: Sql, invocationId: string): StepRow[] {
  const first = findStep(sql, invocationId, FIRST);
  const rows = sql.all<StepRow>("SELECT * FROM step WHERE invocation_id = ?", invocationId);
  return [...(first ? [first] : []), ...rows].toSorted((a, b) => {
    const undone = Number(a.kind === "compensation") - Number(b.kind === "compensation");
    if (undone !== 0) return undone;
    const [ai = 0, an = 0] = numbersOf(a.key);
    const [bi = 0, bn = 0] = numbersOf(b.key);
    if (a.kind === "compensation") return bi - ai || bn - an; // the last first
    return ai - bi || placeOf(a) - placeOf(b) || an - bn;
  });
}

/** What the steps of an invocation came to, lost sends included. */
export type StepSums = {
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly model_calls: number;
  readonly tool_calls: number;
  readonly estimated: number;
  readonly cost_micros: number;
};

/**
 * @param first   The first step as it is, or is about to be; null when there is none.
 * @param others  There may be further steps: their rows are asked.
 */
export function sumOf(
  sql: Sql,
  invocationId: string,
  first: FirstStep | null,
  others: boolean,
): StepSums {
  const rest = others
    ? sql.one<StepSums>(
        `SELECT coalesce(sum(input_tokens), 0) AS input_tokens,
           coalesce(sum(output_tokens), 0) AS output_tokens,
           coalesce(sum(kind = 'model' AND attempt > 0), 0) AS model_calls,
           coalesce(sum(kind = 'tool' AND attempt > 0), 0) AS tool_calls,
           coalesce(max(estimated), 0) AS estimated, coalesce(sum(cost_micros), 0) AS cost_micros
         FROM step WHERE invocation_id = ?`,
        invocationId,
      )
    : undefined;
  return {
    input_tokens: (rest?.input_tokens ?? 0) + (first?.input_tokens ?? 0),
    output_tokens: (rest?.output_tokens ?? 0) + (first?.output_tokens ?? 0),
    model_calls: (rest?.model_calls ?? 0) + (first && first.attempt > 0 ? 1 : 0),
    tool_calls: rest?.tool_calls ?? 0,
    estimated: Math.max(rest?.estimated ?? 0, first?.estimated ?? 0),
    cost_micros: (rest?.cost_micros ?? 0) + (first?.cost_micros ?? 0),
  };
}

/** The first step as it is stored. */
export function findFirst(sql: Sql, invocationId: string): FirstStep | undefined {
  const row = sql.one<{ first: string | null }>(
    "SELECT first FROM invocation WHERE id = ?",
    invocationId,
  );
  return row?.first ? (JSON.parse(row.first) as FirstStep) : undefined;
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

function writeFirst(sql: Sql, invocationId: string, first: FirstStep, output: string | null): void {
  sql.run(
    "UPDATE invocation SET first = ?, first_output = ? WHERE id = ?",
    JSON.stringify(first),
    output,
    invocationId,
  );
}

function changeFirst(sql: Sql, invocationId: string, first: FirstStep): void {
  sql.run("UPDATE invocation SET first = ? WHERE id = ?", JSON.stringify(first), invocationId);
}

function charged(first: FirstStep, cost: StepCost): FirstStep {
  return {
    ...first,
    input_tokens: first.input_tokens + cost.inputTokens,
    output_tokens: first.output_tokens + cost.outputTokens,
    estimated: Math.max(first.estimated, cost.estimated ? 1 : 0),
    cost_micros: first.cost_micros + cost.costMicros,
  };
}

/** What comes before what within one round: a summary and a recall, the model, its tools. */
function placeOf({ key }: StepRow): number {
  const place = ["compact", "memory", "model"].indexOf(key.slice(0, key.indexOf(".")));
  return place === -1 ? 3 : place;
}

function numbersOf(key: string): number[] {
  return [...key.matchAll(/\d+/g)].map(([digits]) => Number(digits));
}
