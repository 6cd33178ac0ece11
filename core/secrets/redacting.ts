/** Models and tools that cannot repeat a secret they were called with. */
import { ModelFailure, type Model, type ModelAnswer } from "../models/contract.ts";
import { ToolFailure, type Tool } from "../tools/contract.ts";
import type { Redactor } from "./redact.ts";

/** @param redactor  Asked for at the first call: it opens every secret there is to look for. */
export function redactingModel(model: Model, redactor: () => Redactor): Model {
  return {
    async answer(request, { signal, onDelta }) {
      const { text, pieces } = redactor();
      try {
        if (onDelta === undefined)
          return redactedAnswer(await model.answer(request, { signal }), text);
        const flow = pieces();
        const pass = (clean: string): void => {
          if (clean !== "") onDelta(clean);
        };
        const streaming = { signal, onDelta: (piece: string) => pass(flow.push(piece)) };
        const answer = await model.answer(request, streaming);
        pass(flow.end());
        return redactedAnswer(answer, text);
      } catch (error) {
        throw redactedError(error, text);
      }
    },
  };
}

/** @param redactor  As above. */
export function redactingTool(tool: Tool, redactor: () => Redactor): Tool {
  return {
    ...tool,
    ...(tool.lookup && { lookup: redactingLookup(tool.lookup, redactor) }),
    async call(args, context) {
      const { text } = redactor();
      try {
        const answer = await tool.call(args, context);
        return { ...answer, content: text(answer.content) };
      } catch (error) {
        throw redactedError(error, text);
      }
    },
  };
}

function redactingLookup(
  lookup: NonNullable<Tool["lookup"]>,
  redactor: () => Redactor,
): NonNullable<Tool["lookup"]> {
  return async (args, context) => {
    const { text } = redactor();
    try {
      const found = await lookup(args, context);
      if (!found.happened) return found;
      return { ...found, result: { ...found.result, content: text(found.result.content) } };
    } catch (error) {
      throw redactedError(error, text);
    }
  };
}

function redactedAnswer(answer: ModelAnswer, text: Redactor["text"]): ModelAnswer {
  return {
    ...answer,
    text: text(answer.text),
    model: text(answer.model),
    toolCalls: answer.toolCalls.map((call) => ({
      id: text(call.id),
      name: text(call.name),
      arguments: text(call.arguments),
    })),
  };
}

/** The same failure, or, of a defect whose text holds a secret, its text without it. */
function redactedError(error: unknown, text: Redactor["text"]): unknown {
  if (error instanceof ToolFailure) {
    return new ToolFailure(text(error.message), error.sent, error.kind);
  }
  if (error instanceof ModelFailure) {
    const problem = { ...error.problem, detail: text(error.problem.detail) };
    return new ModelFailure(problem, error.retryable, error.retryAfterMs, error.kind);
  }
  const said = String(error);
  const clean = text(said);
  return clean === said ? error : new Error(clean);
}
