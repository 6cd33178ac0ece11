/**
 * What a turn recalls before its first model call: a journaled step of its own, so that whatever is
 * learned or forgotten later, a re-execution is told the same.
 */
import type { RecallSpec } from "../../../core/memories/contract.ts";
import { costMicros } from "../../../core/models/cost.ts";
import type { ModelMessage } from "../../../core/models/contract.ts";
import { perform } from "../effects.ts";
import { appendEvents, type Fact } from "../events.ts";
import { Fenced, RunFailure } from "../failure.ts";
import { current, underWay, type Kernel, type LlmClaim } from "../kernel.ts";
import type { InstalledMemory } from "../releases.ts";
import {
  findStep,
  finishStep,
  markSent,
  outputOf,
  type RecalledPassages,
  type StepCost,
} from "../steps.ts";
import { type Asked, embedQuestion } from "./embedding.ts";
import { searchPassages } from "./search.ts";

export const RECALL_KEY = "memory.0#0";
/** Longest part of what the caller said that is looked for. */
const MOST_QUESTION = 2000;

/**
 * Recall for this turn, once: the journal's answer stands.
 *
 * A provider of embeddings that fails does not fail the run: words alone decide then, and the step
 * says so.
 */
export async function recallForTurn(kernel: Kernel, claim: LlmClaim): Promise<void> {
  const { memory } = claim.installed;
  if (memory === undefined || memory.spec.recall.limit === 0) return;
  const question = questionOf(claim.input);
  const inputHash = kernel.sha256(JSON.stringify([question, memory.spec]));
  const row = findStep(kernel.sql, claim.id, RECALL_KEY);
  // A fork took over what was recalled with the steps that rest on it.
  if (row && row.input_hash !== inputHash && !claim.branch) {
    const detail = `step ${RECALL_KEY} asks otherwise than the journal says`;
    throw new RunFailure({ code: "journal_mismatch", detail }, false);
  }
  if (row?.state === "done" || question === "") return;
  const step = { key: RECALL_KEY, kind: "memory" as const, name: memory.spec.embeddings };
  const input = JSON.stringify({ query: question });
  const nowMs = kernel.now();
  kernel.sql.transaction(() => {
    const { id: invocationId, attempt } = claim;
    markSent(kernel.sql, { ...step, invocationId, attempt, inputHash, input, nowMs });
    appendEvents(kernel.sql, claim.id, claim.seq, [["step.started", step]], nowMs);
  });
  claim.seq += 1;
  const asked = await ask(kernel, claim, memory, question);
  if (!current(kernel, claim)) throw new Fenced();
  record(kernel, claim, memory, asked, question);
}

async function ask(
  kernel: Kernel,
  claim: LlmClaim,
  memory: InstalledMemory,
  question: string,
): Promise<Asked> {
  const stop = new AbortController();
  underWay(kernel, claim, stop);
  const timeoutMs = claim.installed.spec.model_timeout_ms;
  const inTime = kernel.deadlines.after(timeoutMs, () => stop.abort(new EmbeddingTimeout()));
  try {
    const call = { idempotencyKey: `${claim.id}/${RECALL_KEY}`, signal: stop.signal };
    return await perform(kernel, RECALL_KEY, () =>
      embedQuestion(kernel.sql, memory.embedder, question, call),
    );
  } finally {
    inTime();
  }
}

function record(
  kernel: Kernel,
  claim: LlmClaim,
  memory: InstalledMemory,
  asked: Asked,
  question: string,
): void {
  const { sql } = kernel;
  const cost: StepCost = {
    ...asked.usage,
    costMicros: costMicros(asked.usage, claim.installed.price(memory.spec.embeddings)),
  };
  sql.transaction(() => {
    asked.record();
    const nowMs = kernel.now();
    const passages = searchPassages(sql, {
      query: question,
      vector: asked.vector,
      ...boundsOf(memory.spec.recall),
      reader: speakerOf(kernel, claim.id),
      asOfMs: nowMs,
      validAtMs: nowMs,
    });
    const recalled: RecalledPassages = {
      passages,
      embedding: asked.vector ? memory.spec.embeddings : null,
      ...(asked.failure === undefined ? {} : { failure: asked.failure }),
    };
    noteRecalled(kernel, claim.id, passages);
    finishStep(sql, claim.id, RECALL_KEY, "done", { recalled }, cost, nowMs);
    const finished = { key: RECALL_KEY, state: "done", passages: passages.length };
    const facts: Fact[] = [
      [
        "step.finished",
        { ...finished, embedding: recalled.embedding, cost_micros: cost.costMicros },
      ],
    ];
    appendEvents(sql, claim.id, claim.seq, facts, nowMs);
  });
  claim.seq += 1;
  kernel.feed.changed(claim.id);
}

/** Which turns were told of what: forgetting follows these links. */
export function noteRecalled(
  { sql }: Pick<Kernel, "sql">,
  invocationId: string,
  passages: readonly { readonly id: string }[],
): void {
  for (const id of new Set(passages.map((passage) => passage.id))) {
    sql.run("INSERT OR IGNORE INTO recalled VALUES (?, ?)", id, invocationId);
  }
}

/** Who speaks in an invocation. */
export function speakerOf({ sql }: Pick<Kernel, "sql">, invocationId: string): string {
  const row = sql.one<{ principal: string }>(
    "SELECT principal FROM invocation WHERE id = ?",
    invocationId,
  );
  return row?.principal ?? "";
}

/** What the turn recalled, as its journal has it; undefined when it recalled nothing. */
export function recalledIn(
  { sql }: Pick<Kernel, "sql">,
  invocationId: string,
): RecalledPassages | undefined {
  const row = findStep(sql, invocationId, RECALL_KEY);
  const output = row && outputOf(sql, row);
  return output && "recalled" in output ? output.recalled : undefined;
}

function boundsOf({ limit, max_tokens, min_similarity }: RecallSpec) {
  return { limit, maxTokens: max_tokens, minSimilarity: min_similarity };
}

/** What is looked for: the last that the caller said. */
function questionOf(input: readonly ModelMessage[]): string {
  const last = input.findLast(({ role }) => role === "user")?.content ?? "";
  return last.slice(0, MOST_QUESTION).toWellFormed();
}

class EmbeddingTimeout extends Error {
  override readonly name = "TimeoutError";
}
