import type { Output, OutputMessage } from "../../core/invocations/contract.ts";
import type { ModelAnswer, ModelMessage } from "../../core/models/contract.ts";
import { RunFailure } from "./failure.ts";
import type { ModelStep } from "./model-step.ts";

/**
 * How a run of an `llm` agent reaches what is outside of it: live, or the journal alone. The loop
 * over them is one piece of code, so that a replay is an execution and not a reading.
 */
export type Steps = {
  /** Model call `i`, told what the turn has produced so far. */
  model(i: number, produced: readonly ModelMessage[]): Promise<ModelStep>;
  /** The calls that call `i` asked for, and what the model reads of each. */
  tools(i: number, step: ModelStep): Promise<readonly ModelMessage[]>;
};

/** A turn that came to an answer. */
export type Conversation = {
  readonly last: ModelStep;
  /** All that was said after the caller's input. */
  readonly messages: readonly ModelMessage[];
  readonly output: Output;
};

/**
 * Model call → (its tool calls → model call)* → answer.
 *
 * @throws RunFailure `step_limit` after `maxSteps` model calls.
 */
export async function converse(steps: Steps, maxSteps: number): Promise<Conversation> {
  const produced: ModelMessage[] = [];
  for (let i = 0; i < maxSteps; i += 1) {
    const step = await steps.model(i, produced);
    const said = assistantMessage(step.answer);
    if (step.answer.toolCalls.length === 0) {
      const messages = [...produced, said];
      return { last: step, messages, output: outputOf(step.answer, messages) };
    }
    produced.push(said, ...(await steps.tools(i, step)));
  }
  throw new RunFailure(
    { code: "step_limit", detail: `the run made ${maxSteps} model calls without an answer` },
    false,
  );
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
