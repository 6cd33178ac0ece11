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
import type { Output, OutputMessage } from "../../core/invocations/contract.ts";
import type { ModelAnswer, ModelMessage } from "../../core/models/contract.ts";
import { retryDelayMs } from "../../core/runs/retry.ts";
import { Fenced, RunFailure } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { current, type Claim, type Kernel } from "./kernel.ts";
import { callModel } from "./model-step.ts";
import { giveUp, retryLater, succeed } from "./settle.ts";
import { callTools, sendTools } from "./tool-step.ts";

/**
 * Carry a claimed invocation to its outcome. Whatever goes wrong becomes a state.
 *
 * @returns  the terminal row; undefined when another attempt is due later, or this one was fenced out.
 */
export async function carry(kernel: Kernel, claim: Claim): Promise<InvocationRow | undefined> {
  try {
    return await converse(kernel, claim);
  } catch (e) {
    if (e instanceof Fenced || !current(kernel, claim)) return undefined;
    kernel.faults.at("before-retry");
    return conclude(kernel, claim, asFailure(e));
  }
}

async function converse(kernel: Kernel, claim: Claim): Promise<InvocationRow | undefined> {
  const produced: ModelMessage[] = [];
  const { max_steps: maxSteps } = claim.installed.spec;
  for (let i = 0; i < maxSteps; i += 1) {
    const step = await callModel(kernel, claim, i, produced);
    const { answer } = step;
    const said = assistantMessage(answer);
    if (answer.toolCalls.length === 0) {
      kernel.faults.at("before-settle");
      const messages = [...produced, said];
      const ended = succeed(kernel, claim, step, { output: outputOf(answer, messages), messages });
      kernel.faults.at("after-settle");
      return ended;
    }
    const calls = kernel.sql.transaction(() => {
      step.record();
      return sendTools(kernel, claim, i, answer.toolCalls, step.facts);
    });
    kernel.feed.changed(claim.id);
    produced.push(said, ...(await callTools(kernel, claim, calls)));
  }
  throw new RunFailure(
    { code: "step_limit", detail: `the run made ${maxSteps} model calls without an answer` },
    false,
  );
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

function assistantMessage(answer: ModelAnswer): ModelMessage {
  if (answer.toolCalls.length === 0) return { role: "assistant", content: answer.text };
  return { role: "assistant", content: answer.text, toolCalls: answer.toolCalls };
}

function outputOf(answer: ModelAnswer, messages: readonly ModelMessage[]): Output {
  return {
    text: answer.text,
    messages: messages.map(messageOnWire),
    data: {
      model: answer.model,
      ...(answer.sources ? { sources: [...answer.sources] } : {}),
    },
  };
}

function messageOnWire(message: ModelMessage): OutputMessage {
  if (message.role === "tool") {
    return { role: "tool", content: message.content, tool_call_id: message.toolCallId };
  }
  const calls = message.role === "assistant" ? message.toolCalls : undefined;
  if (!calls) return { role: "assistant", content: message.content };
  return {
    role: "assistant",
    content: message.content,
    tool_calls: [...calls],
  };
}
