/**
 * One turn of a session as a person sees it, folded from its events. Pure.
 *
 * T1  Text is dropped only when its run restarts or its step fails, and only what no finished step
 *     stands behind.
 * T2  A tool call is one row however often its events come: its step's key is its identity.
 * T3  The terminal event's invocation has the last word over what was streamed.
 */
import type {
  Invocation,
  InvocationEvent,
  InvocationStatus,
} from "../../../core/invocations/contract.ts";
import type { ApiProblem } from "./api.ts";
import { called, complete, dropUnkept, keep, returned, say, textOf, type Pieces } from "./said.ts";

export type SourceNote = { readonly title: string; readonly quote: string };

export type Turn = {
  /** The idempotency key it was asked with, or the id of an invocation read back. */
  readonly key: string;
  readonly asked: string;
  readonly pieces: Pieces;
  readonly sources: readonly SourceNote[];
  /** `sending` until the first event. */
  readonly status: "sending" | InvocationStatus;
  readonly link: "live" | "reconnecting";
  /** Of the invocation; null until accepted. */
  readonly id: string | null;
  /** As the server told it at the end; null before. */
  readonly invocation: Invocation | null;
  /** Why the answer could not be had or followed. */
  readonly problem: ApiProblem | null;
};

export function newTurn(key: string, asked: string): Turn {
  return {
    key,
    asked,
    pieces: [],
    sources: [],
    status: "sending",
    link: "live",
    id: null,
    invocation: null,
    problem: null,
  };
}

/** One event further; an event this console does not know changes nothing. */
export function applyEvent(turn: Turn, { event, data }: InvocationEvent): Turn {
  const { pieces } = turn;
  switch (event) {
    case "invocation.accepted":
      return { ...turn, status: "accepted", id: textOf(data["invocation_id"]) };
    case "run.started":
      return { ...turn, status: "running" };
    case "invocation.waiting":
    case "approval.requested":
      return { ...turn, status: "waiting" };
    case "message.delta":
      return { ...turn, status: "running", pieces: say(pieces, textOf(data["text"])) };
    case "step.finished":
      return { ...turn, pieces: data["state"] === "done" ? keep(pieces) : dropUnkept(pieces) };
    case "run.restarted":
      return { ...turn, pieces: dropUnkept(pieces) };
    case "tool.called":
      return { ...turn, status: "running", pieces: called(keep(pieces), data) };
    case "tool.returned":
      return { ...turn, pieces: returned(pieces, data) };
    case "message.completed": {
      const whole = complete(pieces, textOf(data["text"]));
      return { ...turn, pieces: whole, sources: sourcesOf(data["sources"]) };
    }
    case "invocation.succeeded":
    case "invocation.failed":
    case "invocation.cancelled":
    case "invocation.dead":
      return settle(turn, invocationIn(data));
    case "step.started":
    default:
      return turn;
  }
}

/** A turn as it stands on an invocation that was read rather than followed. */
export function turnOf(invocation: Invocation): Turn {
  let pieces: Pieces = [];
  for (const message of invocation.output?.messages ?? []) {
    if (message.role === "tool") {
      pieces = returned(pieces, { call_id: message.tool_call_id, content: message.content });
      continue;
    }
    if (message.content !== "") pieces = keep(say(pieces, message.content));
    for (const call of message.tool_calls ?? []) {
      pieces = called(pieces, { call_id: call.id, name: call.name, arguments: call.arguments });
    }
  }
  return settle({ ...newTurn(invocation.id, askedIn(invocation.input)), pieces }, invocation);
}

/** The invocation an event carries: the last one does. */
function invocationIn(data: InvocationEvent["data"]): Invocation | null {
  const { invocation } = data;
  // Written by the same release's schema (`Invocation`); the page carries no validator.
  return typeof invocation === "object" ? (invocation as Invocation | null) : null;
}

/** What was said, out of an input that may be a list of messages, or a request for an upstream. */
export function askedIn(input: Invocation["input"]): string {
  if (typeof input === "string") return input;
  if (!Array.isArray(input)) return `${input.request.method} ${input.request.path}`;
  const spoken = input.map((message) =>
    typeof message === "object" && message !== null && "content" in message
      ? textOf(message.content)
      : "",
  );
  return spoken.filter((line) => line !== "").join("\n\n");
}

/** Is there still something to come? */
export function pending({ status, problem }: Turn): boolean {
  const open = status === "sending" || status === "accepted" || status === "running";
  return problem === null && (open || status === "waiting");
}

function settle(turn: Turn, invocation: Invocation | null): Turn {
  if (invocation === null) return turn;
  const { output, status } = invocation;
  return {
    ...turn,
    status,
    id: invocation.id,
    invocation,
    link: "live",
    pieces: output === null ? turn.pieces : complete(turn.pieces, output.text),
    sources: output?.data?.sources ?? turn.sources,
  };
}

function sourcesOf(value: unknown): readonly SourceNote[] {
  if (!Array.isArray(value)) return [];
  return value.map((source: Partial<SourceNote>) => ({
    title: textOf(source.title),
    quote: textOf(source.quote),
  }));
}
