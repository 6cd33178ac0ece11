import type { Invocation, InvocationStatus, Output } from "../../core/invocations/contract.ts";
import type { ModelMessage } from "../../core/models/contract.ts";
import type { Divergence, Replay } from "../../core/replays/contract.ts";
import { branchIn } from "./branch.ts";
import { openJson, unpack } from "./content.ts";
import { converse } from "./converse.ts";
import { RunFailure } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { Diverged, JournalEnd, JournalSteps } from "./journal.ts";
import type { Kernel } from "./kernel.ts";
import { summaryDiffers } from "./memory/compact.ts";
import type { Place } from "./prompt.ts";
import type { LlmInstalled } from "./releases.ts";
import { inputMessages } from "./sessions.ts";
import type { Sql } from "./sql.ts";
import { findFirst, listSteps, outputOf, sumOf, type StepRow } from "./steps.ts";

/** What an execution over the journal has to work with: storage and a hash, nothing that sends. */
export type Desk = Pick<Kernel, "sql" | "sha256">;

/** Where an invocation's own run stood, for an execution of `installed` in its place. */
export function placeOf(desk: Desk, row: InvocationRow, installed: LlmInstalled): Place {
  return {
    id: row.id,
    sessionId: row.session_id,
    turn: row.turn,
    installed: unplugged(installed),
    input: inputMessages(unpack(desk.sql, row.input)),
    ...(row.branch !== null && { branch: branchIn(row.branch) }),
  };
}

/** The journal by key. */
export function rowsOf(desk: Desk, invocationId: string): ReadonlyMap<string, StepRow> {
  return new Map(listSteps(desk.sql, invocationId).map((row) => [row.key, row]));
}

/**
 * Execute a terminal invocation again over its journal alone (./journal.ts), and hold what comes of
 * it against what is stored: each request by its hash, the outcome byte for byte, what it cost by
 * its sum.
 *
 * @param installed  The version it was made under, or another one to be tried over its journal.
 */
export async function replayRun(
  desk: Desk,
  row: InvocationRow,
  installed: LlmInstalled,
): Promise<Replay> {
  const rows = rowsOf(desk, row.id);
  const steps = new JournalSteps(desk, placeOf(desk, row, installed), { rows, mode: "verify" });
  const recorded = row.output === null ? null : unpack(desk.sql, row.output);
  let replayed: Output | null = null;
  let divergence: Divergence | null;
  try {
    const conversation = await converse(steps, installed.spec.max_steps);
    replayed = conversation.output;
    divergence =
      outcomeOf(row.status, recorded, replayed, steps) ??
      leftOver(rows, steps) ??
      summedUpOtherwise(desk, row, rows) ??
      miscounted(desk, row);
  } catch (e) {
    divergence = endedOtherwise(desk, row, rows, e);
  }
  const text = replayed && JSON.stringify(replayed);
  return {
    invocation_id: row.id,
    version: installed.release.version,
    verdict: divergence ? "diverged" : "equal",
    error: divergence && { code: "journal_mismatch", detail: atStep(divergence) },
    divergence,
    steps: steps.taken.map(({ key, row: step }) => ({ key, kind: step.kind, name: step.name })),
    output: replayed,
    recorded_hash: recorded === null ? null : desk.sha256(recorded),
    replayed_hash: text === null ? null : desk.sha256(text),
  };
}

/** A release that can be read from and asks nobody: nothing of it reaches a model or a tool. */
function unplugged(installed: LlmInstalled): LlmInstalled {
  return {
    ...installed,
    model: (ref) => {
      throw new Error(`a replay reached for the model ${ref}`);
    },
    tool: () => undefined,
  };
}

function atStep({ step, detail }: Divergence): string {
  return step === null ? detail : `at step ${step}: ${detail}`;
}

/** The re-execution came to an answer: so must the invocation have, and to the same bytes. */
function outcomeOf(
  status: InvocationStatus,
  recorded: string | null,
  replayed: Output,
  { taken }: JournalSteps,
): Divergence | null {
  const last = taken.at(-1)?.key ?? null;
  if (status !== "succeeded" || recorded === null) {
    return differs(last, `the journal comes to an answer, the invocation has ${status}`);
  }
  if (recorded === JSON.stringify(replayed)) return null;
  const step = firstChanged(recorded, replayed.messages) ?? last;
  return differs(step, "the output differs from the one stored", step);
}

/** What the journal says was summed up is what the turns since were told. */
function summedUpOtherwise(
  { sql }: Desk,
  { session_id: sessionId, turn }: InvocationRow,
  rows: ReadonlyMap<string, StepRow>,
): Divergence | null {
  const differing = [...rows.values()].find((row) => summaryDiffers(sql, { sessionId, turn }, row));
  return differing ? differs(differing.key, "the summary it made is another one now") : null;
}

/** Every finished call of the journal is one that the run came to. */
function leftOver(rows: ReadonlyMap<string, StepRow>, { taken }: JournalSteps): Divergence | null {
  const keys = new Set(taken.map(({ key }) => key));
  for (const [key, { kind, state }] of rows) {
    const counts = state === "done" && (kind === "model" || kind === "tool");
    if (counts && !keys.has(key)) return differs(key, "the run does not come to this step");
  }
  return null;
}

/** What the invocation says it used is the sum of its steps. */
function miscounted({ sql }: Desk, row: InvocationRow): Divergence | null {
  const sums = sumOf(sql, row.id, findFirst(sql, row.id) ?? null, true);
  const same =
    sums.cost_micros === row.cost_micros &&
    sums.input_tokens === row.input_tokens &&
    sums.output_tokens === row.output_tokens;
  return same ? null : differs(null, "the steps do not sum to what the invocation cost");
}

/** The problem an invocation ended with. */
export function errorOf(sql: Sql, { error }: Pick<InvocationRow, "error">): Invocation["error"] {
  return error === null ? null : (JSON.parse(openJson(sql, error)) as Invocation["error"]);
}

/** It ended before an answer: rightly, if the invocation did so there, for that reason. */
function endedOtherwise(
  desk: Desk,
  row: InvocationRow,
  rows: ReadonlyMap<string, StepRow>,
  e: unknown,
): Divergence | null {
  if (e instanceof Diverged) {
    const stored = row.output === null ? undefined : unpack(desk.sql, row.output);
    const suspect = stored === undefined ? undefined : firstChanged(stored, e.produced, true);
    return differs(e.step, e.message, suspect ?? null);
  }
  const error = errorOf(desk.sql, row);
  if (e instanceof RunFailure) {
    if (error?.code === e.problem.code) return miscounted(desk, row);
    return differs(null, `the run ends with ${e.problem.code}`);
  }
  if (!(e instanceof JournalEnd)) throw e;
  if (row.status === "succeeded") return differs(e.step, "the journal has no answer to this step");
  const step = rows.get(e.step);
  const output = step && outputOf(desk.sql, step);
  const failed = output && "failure" in output ? output.failure.code : undefined;
  if (failed === undefined || error === null || failed === error.code) return miscounted(desk, row);
  return differs(e.step, `it failed with ${failed}, the invocation with ${error.code}`, e.step);
}

function differs(step: string | null, detail: string, suspect: string | null = null): Divergence {
  return { step, detail, suspect };
}

/**
 * The step that said the first message in which `messages` are not those of the stored output.
 *
 * @param part  They may be fewer: the run had not come further.
 */
function firstChanged(
  stored: string,
  messages: readonly (ModelMessage | Output["messages"][number])[],
  part = false,
): string | undefined {
  const was = messagesIn(stored);
  let model = -1;
  let tool = 0;
  for (const [n, message] of messages.entries()) {
    if (message.role === "assistant") {
      model += 1;
      tool = 0;
    }
    const key = message.role === "tool" ? `tool.${model}#${tool}` : `model.${model}#0`;
    if (message.role === "tool") tool += 1;
    if (was[n]?.content !== message.content) return key;
  }
  return part || was.length === messages.length ? undefined : `model.${model}#0`;
}

function messagesIn(stored: string): readonly { readonly content: string }[] {
  try {
    return (JSON.parse(stored) as Output).messages;
  } catch {
    return []; // no JSON any more: the first message differs
  }
}
