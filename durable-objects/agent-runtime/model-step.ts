import { costMicros } from "../../core/models/cost.ts";
import {
  ModelFailure,
  type ModelAnswer,
  type ModelMessage,
  type ModelRequest,
} from "../../core/models/contract.ts";
import { estimateInputTokens } from "../../core/models/usage.ts";
import { retries } from "../../core/runs/retry.ts";
import { Deltas } from "./deltas.ts";
import { appendEvents, type Fact } from "./events.ts";
import { upstreamOf } from "./breaker.ts";
import { perform } from "./effects.ts";
import { Fenced, RunFailure, Suspended } from "./failure.ts";
import { current, underWay, type Kernel, type LlmClaim } from "./kernel.ts";
import { overBudget } from "./bound.ts";
import { awaiting } from "./patience.ts";
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

/** What models are asked in turn, until one answers. */
export type Question = {
  /** The step's key at place `k` of the fallback list. */
  readonly keyAt: (k: number) => string;
  readonly request: (ref: string) => ModelRequest;
  /** `memory`: it is not the turn's answer, and none of its words are shown. */
  readonly kind: "model" | "memory";
};

/** Model call `i` of the run. @throws RunFailure */
export function callModel(
  kernel: Kernel,
  claim: LlmClaim,
  i: number,
  produced: readonly ModelMessage[],
): Promise<ModelStep> {
  return askModel(kernel, claim, {
    kind: "model",
    keyAt: (k) => modelKey(i, k),
    request: (ref) => requestFor(kernel, claim, ref, i, produced),
  });
}

/**
 * Ask the spec's model, then its fallbacks in order until one answers.
 *
 * @throws RunFailure  the last failure, retryable if any of them was
 */
export async function askModel(
  kernel: Kernel,
  claim: LlmClaim,
  question: Question,
): Promise<ModelStep> {
  const refs = [claim.installed.spec.model, ...claim.installed.spec.fallback];
  let retryable = false;
  let shut: Shut | undefined;
  const known = answeredAt(kernel, claim, question, refs.length);
  for (const [k, ref] of refs.entries()) {
    if (k < known) continue;
    const upstream = upstreamOf(ref);
    const asked = k === known || (claim.first && question.keyAt(k) === modelKey(0, 0));
    const door = asked ? LET_THROUGH : kernel.breakers.admit(upstream, kernel.now());
    if (!door.ok) {
      shut ??= { upstream, probed: false };
      continue;
    }
    let begunAt = claim.seq;
    let sent: Sent | ModelStep | undefined;
    try {
      const take = (): Sent | ModelStep => takeUp(kernel, claim, question, k, ref);
      sent = kernel.spend.concerns(claim.id) ? await kernel.spend.funded(take) : take();
      if ("answer" in sent) return sent;
      begunAt = claim.seq;
      const answer = await ask(kernel, claim, sent, question.kind === "memory");
      kernel.breakers.succeeded(upstream);
      return answer;
    } catch (e) {
      heard(kernel, claim, { upstream, probed: door.probe }, e);
      if (!current(kernel, claim)) throw new Fenced();
      if (!(e instanceof ModelFailure) || !sent || "answer" in sent) throw e;
      retryable ||= e.retryable && retries(claim.installed.spec.retry, e.kind);
      if (e.retryable && door.probe) shut ??= { upstream, probed: true };
      const spoken = claim.seq > begunAt;
      if (k + 1 < refs.length) recordFailure(kernel, claim, sent, e, spoken);
      else {
        const failure = exhausted(kernel, claim, sent, e, spoken, retryable);
        throw waiting(kernel, claim, failure, shut, spoken);
      }
    }
  }
  throw waiting(kernel, claim, undefined, shut);
}

/** A provider, and whether its breaker's probe is, or was, this call. */
type Shut = { readonly upstream: string; readonly probed: boolean };

const LET_THROUGH = { ok: true, probe: false } as const;

/** What a call that did not answer tells of its provider; what no retry mends tells nothing. */
function heard(kernel: Kernel, claim: LlmClaim, { upstream, probed }: Shut, e: unknown): void {
  const { breakers, now } = kernel;
  const fault = e instanceof ModelFailure && e.retryable && current(kernel, claim);
  if (fault) breakers.failed(upstream, now(), claim.installed.spec.breaker, e.retryAfterMs);
  else if (probed) breakers.released(upstream);
}

/** Once a provider that is not asked for now is back the run may go on: it waits for that. */
function waiting(
  kernel: Kernel,
  claim: LlmClaim,
  failure: RunFailure | undefined,
  shut: Shut | undefined,
  spoken = false,
): RunFailure | Suspended {
  if (!shut) return failure ?? new RunFailure(NO_MODEL, false);
  const parked = awaiting(kernel, claim, shut.upstream, shut.probed);
  if (!failure || parked instanceof RunFailure) return failure ?? parked;
  const record = (): void => {
    failure.record();
    parked.record();
  };
  const facts = [...failure.facts];
  if (spoken) facts.push(["run.restarted", { attempt: claim.attempt }]); // what waits begins anew
  return new Suspended(parked.reason, parked.dueMs, facts, record, parked.told);
}

const NO_MODEL = { code: "internal", detail: "a spec has at least one model" } as const;

/**
 * Place of the model whose answer is in the journal, or -1 (R2): those before it failed
 * then, and asking them again could end in another answer than the one that was acted on.
 */
function answeredAt(kernel: Kernel, claim: LlmClaim, { keyAt }: Question, places: number): number {
  if (claim.attempt === 1 && !claim.branch) return -1;
  const keys = Array.from({ length: places }, (_, k) => keyAt(k));
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
  question: Question,
  k: number,
  ref: string,
): Sent | ModelStep {
  const key = question.keyAt(k);
  if (claim.first && key === modelKey(0, 0)) return { key, ref, ...claim.first };
  const { sql } = kernel;
  const first = question.request(ref);
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
  const aside = kernel.spend.putAside(claim.id, worstCaseMicros(claim.installed, ref, request));
  const nowMs = kernel.now();
  sql.transaction(() => {
    charge();
    aside?.();
    const step = { key, kind: question.kind, name: ref };
    markSent(sql, { ...step, invocationId: claim.id, attempt: claim.attempt, inputHash, nowMs });
    appendEvents(sql, claim.id, claim.seq, [["step.started", step]], nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
  return { key, ref, request };
}

async function ask(
  kernel: Kernel,
  claim: LlmClaim,
  sent: Sent,
  silent = false,
): Promise<ModelStep> {
  kernel.faults.at("before-model");
  const lost = { key: sent.key, cost: () => lostCost(claim, sent.ref, sent.request) };
  const stop = new AbortController();
  underWay(kernel, claim, stop, lost);
  const model = claim.installed.model(sent.ref);
  const deltas = claim.deltas && !silent ? new Deltas(kernel, claim) : undefined;
  const timeoutMs = claim.installed.spec.model_timeout_ms;
  const inTime = kernel.deadlines.after(timeoutMs, () => stop.abort(new TimedOut(timeoutMs)));
  try {
    const { signal } = stop;
    const options = deltas ? { signal, onDelta: (text: string) => deltas.push(text) } : { signal };
    const answer = await perform(kernel, sent.key, () => model.answer(sent.request, options));
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
