/**
 * `local/extract`: the built-in responder that needs no key and no network (docs/local-extract.md).
 *
 * Deterministic and honest: it quotes the passages of knowledge, instructions and conversation that
 * share most words with the question, names their source, and says so when there are none. It calls
 * a tool when a line of the message names it, and then reads the answer out.
 */
import type { KnowledgeItem } from "../agents/spec.ts";
import { commandsOf, type Command } from "./extract-command.ts";
import type { Model, ModelAnswer, ModelMessage, ModelRequest, Source } from "./contract.ts";
import { createLibrary, type Hit, type Library } from "./extract-search.ts";
import type { Document } from "./extract-passages.ts";
import * as say from "./extract-speech.ts";
import { terms } from "./extract-words.ts";
import { abortedFailure, terminalFailure } from "./failures.ts";
import { estimateTokens, estimateUsage } from "./usage.ts";

export const EXTRACT = "extract";

/** Longest part of a message that is looked at as a question. */
const MOST_QUESTION = 4000;
const MOST_QUOTED_RESULT = 4000;
const MOST_STATEMENTS = 200;
const MOST_SUMMARY = 4000;
/** A statement is answered from knowledge only when it is mostly about it; else it is noted. */
const STATEMENT_COVERAGE = 0.5;
const WORDS_PER_DELTA = 4;
const AMOUNT = /\bhow (?:long|much|many|often|far|soon|fast|old|big)\b|\bwhat time\b|\bwhen\b/i;

/** @param knowledge  Indexed at the first question and kept for the life of the model. */
export function createExtract(options: { readonly knowledge: readonly KnowledgeItem[] }): Model {
  const given = options.knowledge.map((item): Document => ({
    origin: "knowledge",
    title: item.title,
    text: item.text,
  }));
  const titles = given.map((document) => document.title);
  const shelf = new Shelf(given);
  return {
    async answer(request, { signal, onDelta }) {
      if (signal.aborted) throw abortedFailure(signal);
      if (request.model !== EXTRACT)
        throw terminalFailure(`there is no model local/${request.model}`);
      const reply = replyTo(request, titles, shelf);
      const answer = finish(request, reply);
      if (onDelta) for (const piece of pieces(answer.text)) onDelta(piece);
      return answer;
    },
  };
}

type Reply = {
  readonly text: string;
  readonly calls?: readonly Command[];
  readonly sources?: readonly Source[];
};

/** Knowledge with the instructions beside it; indexed once for as long as these are the same. */
class Shelf {
  readonly #given: readonly Document[];
  #instructions: string | undefined;
  #library: Library | undefined;

  constructor(given: readonly Document[]) {
    this.#given = given;
  }

  library(instructions: string): Library {
    if (this.#library === undefined || this.#instructions !== instructions) {
      const told: Document = { origin: "instructions", title: "Instructions", text: instructions };
      this.#library = createLibrary(instructions === "" ? this.#given : [...this.#given, told]);
      this.#instructions = instructions;
    }
    return this.#library;
  }
}

function replyTo(request: ModelRequest, titles: readonly string[], shelf: Shelf): Reply {
  const { messages, tools } = request;
  const last = messages.at(-1);
  if (last?.role === "tool") return readOut(messages);
  const text = last?.content ?? "";
  if (request.task === "summary") return { text: summaryOf(text) };
  const question = text.slice(0, MOST_QUESTION);
  const commands = commandsOf(text, tools);
  if (commands.kind === "calls") return { text: "", calls: commands.calls };
  if (commands.kind === "unknown") return { text: say.unknownTool(commands.name, tools) };
  if (commands.kind === "unreadable") return { text: say.unreadable(commands.name) };
  const kind = say.kindOf(question);
  if (kind === "greeting") return { text: say.greeting(titles, tools) };
  if (kind === "thanks") return { text: say.THANKED };
  if (kind === "about") return { text: say.aboutItself(titles, tools) };
  const hits = lookUp(question, messages, shelf, request.passages ?? []);
  const least = kind === "statement" ? STATEMENT_COVERAGE : 0;
  if ((hits[0]?.coverage ?? -1) >= least) return quoting(hits);
  return { text: kind === "statement" ? say.NOTED : say.nothingFound(titles) };
}

function lookUp(
  question: string,
  messages: readonly ModelMessage[],
  shelf: Shelf,
  passages: readonly KnowledgeItem[],
): readonly Hit[] {
  const earlier = messages.slice(0, -1);
  const numeric = AMOUNT.test(question);
  const query = queryOf(question, earlier);
  const system = messages.filter((message) => message.role === "system");
  const instructions = system.map((message) => message.content).join("\n");
  const recalled = passages.map((it): Document => ({ origin: "knowledge", ...it }));
  const told = [...statements(earlier, question), ...recalled];
  const found = shelf.library(instructions).search(query, numeric);
  const remembered = told.length === 0 ? [] : createLibrary(told).search(query, numeric);
  // Scores of two libraries do not compare: what the person said goes first, alone if it says all.
  const [said] = remembered;
  if (said === undefined) return found;
  return said.coverage === 1 ? [said] : [said, ...found.slice(0, 2)];
}

/** A question without a subject of its own ("and how much is it?") is about the one before. */
function queryOf(question: string, earlier: readonly ModelMessage[]): readonly string[] {
  const own = terms(question.replace(AMOUNT, " "));
  if (own.length > 0) return own;
  for (const message of earlier.toReversed()) {
    const before = message.role === "user" ? message.content.slice(0, MOST_QUESTION) : "";
    if (before.startsWith("/") || say.kindOf(before) !== "question") continue;
    const theirs = terms(before.replace(AMOUNT, " "));
    if (theirs.length > 0) return theirs;
  }
  return [];
}

/** What the person told, as opposed to asked, in this conversation. */
function statements(earlier: readonly ModelMessage[], question: string): readonly Document[] {
  const out: Document[] = [];
  for (const message of earlier) {
    if (message.role !== "user" || message.content === question) continue;
    const text = message.content.slice(0, MOST_QUESTION);
    if (say.kindOf(text) !== "statement") continue;
    out.push({ origin: "conversation", title: "Earlier in this conversation", text });
  }
  return out.slice(-MOST_STATEMENTS);
}

function quoting(hits: readonly Hit[]): Reply {
  const sources = hits.map(({ document, quote }) => ({ title: document.title, quote }));
  return { text: say.quoted(hits), sources };
}

/**
 * A conversation, one line for what each said, as it is: the first sentence. The end of it, should
 * that be too long.
 */
function summaryOf(text: string): string {
  const lines = text.split("\n\n").map((said) => {
    const [first = ""] = /^.{1,300}?(?:[.!?。](?=\s|$)|$)/su.exec(said) ?? [said.slice(0, 300)];
    return first.replaceAll("\n", " ");
  });
  return lines.join("\n").slice(-MOST_SUMMARY);
}

/** The results since the last call, each under its tool's name. */
function readOut(messages: readonly ModelMessage[]): Reply {
  const from = messages.findLastIndex((message) => message.role === "assistant");
  const asked = messages[from];
  const calls = asked?.role === "assistant" ? (asked.toolCalls ?? []) : [];
  const said = messages.slice(from + 1).flatMap((message) => {
    if (message.role !== "tool") return [];
    const name = calls.find((call) => call.id === message.toolCallId)?.name ?? "The tool";
    const whole = message.content;
    const cut = whole.length > MOST_QUOTED_RESULT;
    return [{ title: name, quote: cut ? `${whole.slice(0, MOST_QUOTED_RESULT)}…` : whole }];
  });
  return {
    text: said.map(({ title, quote }) => say.toolSaid(title, quote)).join("\n\n"),
    sources: said.filter(({ quote }) => quote !== ""),
  };
}

function finish(request: ModelRequest, reply: Reply): ModelAnswer {
  const { text, cut } = bounded(reply.text.toWellFormed(), request);
  const toolCalls = (reply.calls ?? []).map((call, n) => ({
    id: `call_${request.messages.length}_${n}`,
    name: call.name,
    arguments: call.arguments,
  }));
  return {
    text,
    toolCalls,
    finishReason: toolCalls.length > 0 ? "tool_calls" : cut ? "length" : "stop",
    usage: estimateUsage(request, text, toolCalls),
    model: `local/${EXTRACT}`,
    ...(reply.sources?.length ? { sources: reply.sources } : {}),
  };
}

/** `max_output_tokens` and `stop` hold here as they do elsewhere; a token is 4 bytes. */
function bounded(
  text: string,
  request: ModelRequest,
): { readonly text: string; readonly cut: boolean } {
  const { max_output_tokens: limit, stop = [] } = request.parameters;
  const ends = stop.map((end) => text.indexOf(end)).filter((at) => at !== -1);
  const kept = text.slice(0, Math.min(text.length, ...ends));
  if (limit === undefined || estimateTokens(kept) <= limit) return { text: kept, cut: false };
  const bytes = new TextEncoder().encode(kept).subarray(0, limit * 4);
  // As a stream, a character cut in half at the end is left out and not replaced.
  return { text: new TextDecoder().decode(bytes, { stream: true }), cut: true };
}

function pieces(text: string): readonly string[] {
  const spoken = text.match(/\s*\S+|\s+$/g) ?? [];
  const out: string[] = [];
  for (let i = 0; i < spoken.length; i += WORDS_PER_DELTA) {
    out.push(spoken.slice(i, i + WORDS_PER_DELTA).join(""));
  }
  return out;
}
