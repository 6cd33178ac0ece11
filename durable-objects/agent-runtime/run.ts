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
 *     tool is idempotent (same key), else its outcome is `unknown` and the run ends saying so.
 */
import { retryDelayMs } from "../../core/runs/retry.ts";
import { converse, type Steps } from "./converse.ts";
import { Fenced, RunFailure, Suspended } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { current, isHttp, isLlm, type Claim, type Kernel, type LlmClaim } from "./kernel.ts";
import { callModel } from "./model-step.ts";
import { giveUp, retryLater, succeed, suspend } from "./settle.ts";
import { callTools, sendTools } from "./tool-step.ts";
import { forward } from "./upstream/forward.ts";

/**
 * Carry a claimed invocation to its outcome. Whatever goes wrong becomes a state.
 *
 * @returns  the row, terminal or `waiting`; undefined when another attempt is due later, or this one was
 *           fenced out.
 */
export async function carry(kernel: Kernel, claim: Claim): Promise<InvocationRow | undefined> {
  try {
    if (isLlm(claim)) return await answer(kernel, claim);
    if (isHttp(claim)) return await forward(kernel, claim);
    return undefined;
  } catch (e) {
    if (e instanceof Fenced || !current(kernel, claim)) return undefined;
    if (e instanceof Suspended) {
      return kernel.sql.transaction(() => suspend(kernel, claim, e, kernel.now()));
    }
    kernel.faults.at("before-retry");
    return conclude(kernel, claim, asFailure(e));
  }
}

async function answer(kernel: Kernel, claim: LlmClaim): Promise<InvocationRow | undefined> {
  const { last, messages, output } = await converse(
    live(kernel, claim),
    claim.installed.spec.max_steps,
  );
  kernel.faults.at("before-settle");
  const ended = succeed(kernel, claim, last, { output, messages });
  kernel.faults.at("after-settle");
  return ended;
}

/** Steps that are taken from the journal where it has them, and else made and recorded. */
function live(kernel: Kernel, claim: LlmClaim): Steps {
  return {
    model: (i, produced) => callModel(kernel, claim, i, produced),
    tools: (i, step) => {
      const calls = kernel.sql.transaction(() => {
        step.record();
        return sendTools(kernel, claim, i, step.answer.toolCalls, step.facts);
      });
      kernel.feed.changed(claim.id);
      return callTools(kernel, claim, calls);
    },
  };
}

function conclude(kernel: Kernel, claim: Claim, failure: RunFailure): InvocationRow | undefined {
  const nowMs = kernel.now();
  const policy = claim.installed.spec.retry;
  const failures = claim.failures + 1;
  return kernel.sql.transaction(() => {
    failure.record();
    if (!failure.retryable || failures >= policy.attempts) {
      const status = failure.retryable ? "dead" : "failed";
      return giveUp(kernel, claim, status, failure.problem, failure.facts, nowMs);
    }
    const after = failure.problem.retryAfterMs;
    const delayMs = retryDelayMs(policy, failures, after, kernel.random());
    retryLater(kernel, claim, failure.facts, nowMs + delayMs, nowMs);
    return undefined;
  });
}

/** A defect of ours ends the run as `failed`, with nothing of its text shown to the caller. */
function asFailure(e: unknown): RunFailure {
  if (e instanceof RunFailure) return e;
  console.error(JSON.stringify({ level: "error", event: "run.defect", detail: String(e) }));
  return new RunFailure({ code: "internal", detail: "a defect ended the run" }, false);
}
