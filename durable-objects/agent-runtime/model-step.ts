import { costMicros } from "../../core/models/cost.ts";
import {
  ModelFailure,
  type ModelAnswer,
  type ModelMessage,
  type ModelRequest,
} from "../../core/models/contract.ts";
import { estimateInputTokens } from "../../core/models/usage.ts";
import { Deltas } from "./deltas.ts";
import { appendEvents, type Fact } from "./events.ts";
import { Fenced, RunFailure } from "./failure.ts";
import { current, underWay, type Kernel, type LlmClaim } from "./kernel.ts";
import { overBudget } from "./accept.ts";
import { hashOf, requestFor, worstCaseMicros } from "./prompt.ts";
import {
  chargeLost,
  findFirst,
  findStep,
  finishStep,
  firstFinished,
  markSent,
  modelKey,
  NO_COST,
  outputOf,
  sumOf,
  type FinishedFirst,
  type FirstStep,
} from "./steps.ts";

/** An answer, and what is still to be written about it together with what follows from it (R1). */
export type ModelStep = {
  readonly answer: ModelAnswer;
  /** Statements that finish the step; run them in the transaction that records what comes next. */
  record(): void;
  /** The finished first step, for an end that writes it itself instead of `record`. */
  readonly first?: FinishedFirst;
  readonly facts: readonly Fact[];
};

/**
 * Model call `i` of the run: the spec's model, then its fallbacks in order until one answers.
 *
 * @throws RunFailure  the last failure, retryable if any of them was
 */
export async function callModel(
  kernel: Kernel,
  claim: LlmClaim,
  i: number,
  produced: readonly ModelMessage[],
): Promise<ModelStep> {
  const refs = [claim.installed.spec.model, ...claim.installed.spec.fallback];
  let retryable = false;
  let last: ModelFailure | undefined;
  const known = answeredAt(kernel, claim, i, refs.length);
  for (const [k, ref] of refs.entries()) {
    if (k < known) continue;
    const sent = takeUp(kernel, claim, i, k, ref, produced);
    if ("answer" in sent) return sent;
    const begunAt = claim.seq;
    try {
      return await ask(kernel, claim, sent);
    } catch (e) {
      if (!current(kernel, claim)) throw new Fenced();
      if (!(e instanceof ModelFailure)) throw e;
      last = e;
      retryable ||= e.retryable;
      const spoken = claim.seq > begunAt;
      if (k + 1 < refs.length) recordFailure(kernel, claim, sent, e, spoken);
      else throw exhausted(kernel, claim, sent, e, spoken, retryable);
    }
  }
  throw last ?? new Error("a spec has at least one model");
}

/**
 * Place of the model whose answer to call `i` is in the journal, or -1 (R2): those before it failed
 * then, and asking them again could end in another answer than the one that was acted on.
 */
function answeredAt(kernel: Kernel, claim: LlmClaim, i: number, places: number): number {
  if (claim.attempt === 1 && !claim.branch) return -1;
  const keys = Array.from({ length: places }, (_, k) => modelKey(i, k));
  return keys.findIndex((key) => findStep(kernel.sql, claim.id, key)?.state === "done");
}

type Sent = {
  readonly key: string;
  readonly ref: string;
  readonly request: ModelRequest;
  /** Of the first step, when nothing of it was read or written since. */
  readonly step?: FirstStep;
};

/** R2 and R4: the journal's answer, or the step marked `sent` and ready to be asked. */
function takeUp(
  kernel: Kernel,
  claim: LlmClaim,
  i: number,
  k: number,
  ref: string,
  produced: readonly ModelMessage[],
): Sent | ModelStep {
  const key = modelKey(i, k);
  if (i === 0 && k === 0 && claim.first) return { key, ref, ...claim.first };
  const { sql } = kernel;
  const first = requestFor(kernel, claim, ref, i, produced);
  // A fallback asks another thing of, perhaps, the same provider: under a key of its own.
  const request = k === 0 ? first : { ...first, idempotencyKey: `${claim.id}/${key}` };
  const inputHash = hashOf(kernel, request);
  const row = findStep(sql, claim.id, key);
  if (row && row.input_hash !== inputHash) {
    throw new RunFailure(
      { code: "journal_mismatch", detail: `step ${key} asks otherwise than the journal says` },
      false,
    );
  }
  if (row?.state === "done") {
    const output = outputOf(sql, row);
    if (output && "answer" in output) return { answer: output.answer, record: () => {}, facts: [] };
  }
  const lost = row?.state === "sent" ? lostCost(claim, ref, request) : undefined;
  const charge = (): void => {
    if (lost) chargeLost(sql, claim.id, key, lost);
  };
  withinBudget(kernel, claim, ref, request, lost?.costMicros ?? 0, charge);
  const nowMs = kernel.now();
  sql.transaction(() => {
    charge();
    const step = { key, kind: "model" as const, name: ref };
    markSent(sql, { ...step, invocationId: claim.id, attempt: claim.attempt, inputHash, nowMs });
    appendEvents(sql, claim.id, claim.seq, [["step.started", step]], nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
  return { key, ref, request };
}

async function ask(kernel: Kernel, claim: LlmClaim, sent: Sent): Promise<ModelStep> {
  kernel.faults.at("before-model");
  const lost = { key: sent.key, cost: () => lostCost(claim, sent.ref, sent.request) };
  const stop = new AbortController();
  underWay(kernel, claim, stop, lost);
  const model = claim.installed.model(sent.ref);
  const deltas = claim.deltas ? new Deltas(kernel, claim) : undefined;
  const timeoutMs = claim.installed.spec.model_timeout_ms;
  const inTime = kernel.deadlines.after(timeoutMs, () => stop.abort(new TimedOut(timeoutMs)));
  try {
    const answer = await model.answer(
      sent.request,
      deltas
        ? { signal: stop.signal, onDelta: (text) => deltas.push(text) }
        : { signal: stop.signal },
    );
    kernel.faults.at("after-model");
    if (!current(kernel, claim)) throw new Fenced();
    return answered(kernel, claim, sent, answer, deltas?.rest() ?? []);
  } finally {
    inTime();
    deltas?.stop();
  }
}

function answered(
  kernel: Kernel,
  claim: LlmClaim,
  sent: Sent,
  answer: ModelAnswer,
  rest: readonly Fact[],
): ModelStep {
  const { usage } = answer;
  const cost = costMicros(usage, claim.installed.price(sent.ref));
  const finished = {
    key: sent.key,
    state: "done",
    model: answer.model,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost_micros: cost,
  };
  const nowMs = kernel.now();
  const used = { ...usage, costMicros: cost };
  const output = { answer };
  return {
    answer,
    record: () => finishStep(kernel.sql, claim.id, sent.key, "done", output, used, nowMs),
    ...(sent.step && { first: { step: firstFinished(sent.step, "done", used, nowMs), output } }),
    facts: [...rest, ["step.finished", finished]],
  };
}

/**
 * A fallback is left: the failure is recorded and the next one asked.
 *
 * @param spoken  Words of this model are in the log: readers are told to drop them, because the
 *                next model begins anew and two answers are never glued (GUARANTEES §4).
 */
function recordFailure(
  kernel: Kernel,
  claim: LlmClaim,
  sent: Sent,
  failure: ModelFailure,
  spoken: boolean,
): void {
  const facts = failedFacts(sent, failure);
  if (spoken) facts.push(["run.restarted", { attempt: claim.attempt }]);
  kernel.sql.transaction(() => {
    finishFailed(kernel, claim, sent, failure, spoken);
    appendEvents(kernel.sql, claim.id, claim.seq, facts, kernel.now());
  });
  claim.seq += facts.length;
  kernel.feed.changed(claim.id);
}

function exhausted(
  kernel: Kernel,
  claim: LlmClaim,
  sent: Sent,
  failure: ModelFailure,
  spoken: boolean,
  retryable: boolean,
): RunFailure {
  const { problem, retryAfterMs } = failure;
  const told = retryAfterMs === undefined ? problem : { ...problem, retryAfterMs };
  const record = (): void => finishFailed(kernel, claim, sent, failure, spoken);
  return new RunFailure(told, retryable, failedFacts(sent, failure), record);
}

/** A provider that had begun, or was left after its time, is owed what a lost send is (R4). */
function finishFailed(
  kernel: Kernel,
  claim: LlmClaim,
  sent: Sent,
  failure: ModelFailure,
  spoken: boolean,
): void {
  const { code, detail } = failure.problem;
  const output = { failure: { code, detail } };
  const owed = spoken || code === "timeout";
  const cost = owed ? lostCost(claim, sent.ref, sent.request) : NO_COST;
  finishStep(kernel.sql, claim.id, sent.key, "failed", output, cost, kernel.now());
}

function failedFacts(sent: Sent, failure: ModelFailure): Fact[] {
  const { code, detail } = failure.problem;
  return [["step.finished", { key: sent.key, state: "failed", code, detail }]];
}

/** @param charge  Writes down what an interrupted send of this call has cost: `lostMicros`. */
function withinBudget(
  kernel: Kernel,
  claim: LlmClaim,
  ref: string,
  request: ModelRequest,
  lostMicros: number,
  charge: () => void,
): void {
  if (claim.maxCostMicros === undefined) return;
  const first = findFirst(kernel.sql, claim.id) ?? null;
  const { cost_micros: spent } = sumOf(kernel.sql, claim.id, first, true);
  const left = claim.maxCostMicros - spent - lostMicros;
  if (worstCaseMicros(claim.installed, ref, request) <= left) return;
  throw new RunFailure(overBudget(claim.maxCostMicros).problem, false, [], charge);
}

/** What a send without an answer is taken to have cost: its input, no output. */
function lostCost(claim: LlmClaim, ref: string, request: ModelRequest) {
  const usage = { inputTokens: estimateInputTokens(request), outputTokens: 0, estimated: true };
  return { ...usage, costMicros: costMicros(usage, claim.installed.price(ref)) };
}

class TimedOut extends Error {
  override readonly name = "TimeoutError";
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}
