/**
 * One attempt at an invocation, from its claim to a terminal state or a retry.
 *
 * Sequence: model call → (its tool calls in parallel → model call)* → settle.
 *
 * R1  A step is recorded `sent` before its call is made, and finished in the transaction that
 *     also records what follows from it (the next steps, or the end).
 * R2  A finished step is taken from the journal and never run again.
 * R3  After every wait the claim is checked: a fenced-out attempt writes nothing.
 * R4  A model call found `sent` is sent again and its cost counted twice; a tool call only if the
 *     tool is idempotent (same key), or its look-up says that it did not happen; else its outcome is
 *     `unknown` and people are asked (./tool-outcome.ts).
 * R5  A run that fails for good undoes what it did before it ends (./compensation.ts).
 */
import { retryDelayMs } from "../../core/runs/retry.ts";
import { converse, type Steps } from "./converse.ts";
import { endingOf, undo, undoable, writeEnding, type Ending } from "./compensation.ts";
import { appendEvents } from "./events.ts";
import { Again, Fenced, RunFailure, Suspended } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { current, isHttp, isLlm, type Claim, type Kernel, type LlmClaim } from "./kernel.ts";
import { prepare, prepares } from "./memory/prepare.ts";
import { callModel } from "./model-step.ts";
import { lastMs } from "./patience.ts";
import { giveUp, retryLater, succeed, suspend } from "./settle.ts";
import type { SentCall } from "./tool-call.ts";
import { demandAffordable, payable, priceOf } from "./tool-price.ts";
import { callTools, sendTools } from "./tool-step.ts";
import { forward } from "./upstream/forward.ts";

/**
 * Carry a claimed invocation to its outcome. Whatever goes wrong becomes a state.
 *
 * @returns  the row, terminal or `waiting`; undefined when another attempt is due later, or this one was
 *           fenced out.
 */
export async function carry(kernel: Kernel, claim: Claim): Promise<InvocationRow | undefined> {
  let ending = claim.attempt > 1 ? endingOf(kernel.sql, claim.id) : undefined;
  for (;;) {
    try {
      return await (ending ? finish(kernel, claim, ending) : work(kernel, claim));
    } catch (e) {
      if (e instanceof Fenced || !current(kernel, claim)) return undefined;
      if (e instanceof Suspended || e instanceof Again) return putOff(kernel, claim, e);
      kernel.faults.at("before-retry");
      const failure = asFailure(e);
      if (ending) return giveUp(kernel, claim, ending.status, ending.problem, [], kernel.now());
      const concluded = conclude(kernel, claim, failure);
      if (!("status" in concluded)) return concluded.row;
      ending = concluded;
    }
  }
}

async function work(kernel: Kernel, claim: Claim): Promise<InvocationRow | undefined> {
  if (isLlm(claim)) return answer(kernel, claim);
  return isHttp(claim) ? forward(kernel, claim) : undefined;
}

/** What is left of a run that has failed. */
async function finish(
  kernel: Kernel,
  claim: Claim,
  ending: Ending,
): Promise<InvocationRow | undefined> {
  if (isLlm(claim)) return undo(kernel, claim, ending);
  return giveUp(kernel, claim, ending.status, ending.problem, [], kernel.now());
}

function putOff(kernel: Kernel, claim: Claim, e: Suspended | Again): InvocationRow | undefined {
  return kernel.sql.transaction(() => {
    if (e instanceof Suspended) return suspend(kernel, claim, e, kernel.now());
    e.record();
    retryLater(kernel, claim, e.facts, e.dueMs, kernel.now(), false);
    return undefined;
  });
}

async function answer(kernel: Kernel, claim: LlmClaim): Promise<InvocationRow | undefined> {
  if (prepares(claim.installed)) await prepare(kernel, claim);
  const { last, messages, output } = await converse(
    live(kernel, claim),
    claim.installed.spec.max_steps,
  );
  kernel.faults.at("before-settle");
  const ended = succeed(kernel, claim, last, { output, messages });
  kernel.faults.at("after-settle");
  if (kernel.faults.watched) await kernel.faults.boundary("settled");
  return ended;
}

/** Steps that are taken from the journal where it has them, and else made and recorded. */
function live(kernel: Kernel, claim: LlmClaim): Steps {
  return {
    model: (i, produced) => callModel(kernel, claim, i, produced),
    tools: async (i, step) => {
      const asked = step.answer.toolCalls;
      const priceMicros = priceOf(kernel, claim, i, asked);
      const send = (): SentCall[] => {
        const aside = priceMicros > 0 && kernel.spend.putAside(claim.id, priceMicros);
        return kernel.sql.transaction(() => {
          step.record();
          if (priceMicros > 0) demandAffordable(kernel, claim, step, priceMicros);
          if (aside) aside();
          return sendTools(kernel, claim, i, asked, step.facts);
        });
      };
      const calls = priceMicros === 0 ? send() : await payable(kernel, step, send);
      kernel.feed.changed(claim.id);
      if (kernel.faults.watched) await kernel.faults.boundary(`model.${i} recorded`);
      return callTools(kernel, claim, calls);
    },
  };
}

/** Another attempt, the end, or, when there is something to undo, how it will end after that. */
function conclude(
  kernel: Kernel,
  claim: Claim,
  failure: RunFailure,
): Ending | { readonly row: InvocationRow | undefined } {
  const nowMs = kernel.now();
  const policy = claim.installed.spec.retry;
  const failures = claim.failures + 1;
  const after = failure.problem.retryAfterMs;
  const dueMs = nowMs + retryDelayMs(policy, failures, after, kernel.random());
  return kernel.sql.transaction(() => {
    failure.record();
    const again = failure.retryable && failures < policy.attempts && dueMs <= lastMs(kernel, claim);
    if (again) {
      retryLater(kernel, claim, failure.facts, dueMs, nowMs);
      return { row: undefined };
    }
    const ending: Ending = {
      status: failure.retryable ? "dead" : "failed",
      problem: failure.problem,
    };
    if (!isLlm(claim) || undoable(kernel, claim).length === 0) {
      return { row: giveUp(kernel, claim, ending.status, ending.problem, failure.facts, nowMs) };
    }
    writeEnding(kernel.sql, claim.id, ending);
    if (failure.facts.length > 0) {
      appendEvents(kernel.sql, claim.id, claim.seq, failure.facts, nowMs);
      claim.seq += failure.facts.length;
    }
    return ending;
  });
}

/** A defect of ours ends the run as `failed`, with nothing of its text shown to the caller. */
function asFailure(e: unknown): RunFailure {
  if (e instanceof RunFailure) return e;
  console.error(JSON.stringify({ level: "error", event: "run.defect", detail: String(e) }));
  return new RunFailure({ code: "internal", detail: "a defect ended the run" }, false);
}
