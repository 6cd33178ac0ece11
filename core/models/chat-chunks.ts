import type { ModelAnswer, ModelRequest } from "./contract.ts";
import { brokenAnswer } from "./failures.ts";
import {
  MOST_CALLS,
  argumentsText,
  finishAnswer,
  list,
  record,
  textOf,
  type RawCall,
} from "./chat-wire.ts";

/** The chunks of one streamed answer, put together. */
export type Assembly = {
  /**
   * Take one chunk; returns the well-formed text it adds, for whoever reads along. Half of a
   * surrogate pair waits for its other half.
   */
  add(chunk: unknown): string;
  /**
   * The whole answer.
   *
   * @throws ModelFailure  retryable, when no chunk carried a finish reason: the stream was cut.
   */
  finish(): ModelAnswer;
};

export function assemble(request: ModelRequest): Assembly {
  const calls: Writable[] = [];
  let text = "";
  let shown = 0;
  let reason: unknown;
  let usage: unknown;
  let model: unknown;
  return {
    add(chunk) {
      const body = record(chunk);
      if (body === undefined) throw brokenAnswer("sent a broken chunk");
      model ??= body.model;
      usage = record(body.usage) ?? usage;
      const choice = record(list(body.choices)[0]);
      if (choice === undefined) return "";
      reason = choice.finish_reason ?? reason;
      const delta = record(choice.delta);
      for (const piece of list(delta?.tool_calls)) addCall(calls, piece);
      text += textOf(delta?.content) ?? textOf(delta?.refusal) ?? "";
      const from = shown;
      shown = endsInHalfPair(text) ? text.length - 1 : text.length;
      return text.slice(from, shown).toWellFormed();
    },
    finish() {
      if (typeof reason !== "string") throw brokenAnswer("closed the stream before its end");
      return finishAnswer(request, { text, calls, finish: reason, usage, model });
    },
  };
}

function endsInHalfPair(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}

type Writable = { -readonly [K in keyof RawCall]: RawCall[K] };

/** Pieces of a call share an index; where a server sends none, an id starts the next call. */
function addCall(calls: Writable[], value: unknown): void {
  const piece = record(value);
  const target = record(piece?.function);
  const id = textOf(piece?.id) ?? "";
  const call = slot(calls, piece?.index, id);
  if (call.id === "") call.id = id;
  if (call.name === "") call.name = textOf(target?.name) ?? "";
  call.arguments += argumentsText(target?.arguments);
}

function slot(calls: Writable[], index: unknown, id: string): Writable {
  const known =
    typeof index === "number"
      ? calls[index]
      : id === ""
        ? calls.at(-1)
        : calls.find((call) => call.id === id);
  if (known !== undefined) return known;
  if (typeof index === "number" && index !== calls.length) {
    throw brokenAnswer("sent tool calls out of order");
  }
  if (calls.length >= MOST_CALLS) throw brokenAnswer("sent too many tool calls");
  const call: Writable = { id: "", name: "", arguments: "" };
  calls.push(call);
  return call;
}
