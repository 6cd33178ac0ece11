/**
 * What an invocation takes over from the journal it goes on from.
 *
 * A resumed run takes what still fits: the requests of its version are held against the journal
 * (`verify`). A fork changes something on purpose, so its steps are noted with the requests that
 * they now stand for (`adopt`): its own journal is whole, and is executed again like any other.
 */
import { refuse, type Refusal } from "../../core/problem.ts";
import type { ToolResultGiven } from "../../core/replays/contract.ts";
import type { ToolResult } from "../../core/tools/contract.ts";
import type { Branch } from "./branch.ts";
import { pack, unpack } from "./content.ts";
import { converse } from "./converse.ts";
import { RunFailure } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { Diverged, JournalEnd, JournalSteps, type Reading, type Taken } from "./journal.ts";
import { placeOf, rowsOf, type Desk } from "./replay.ts";
import type { Installed, LlmInstalled } from "./releases.ts";
import type { Sql } from "./sql.ts";
import { modelKey, type StepRow } from "./steps.ts";

/** What is written with the new invocation's row. */
export type Prefix = {
  readonly installed: Installed;
  /** It is not what is live, nor ever was: it is stored for this invocation. */
  readonly aside: boolean;
  readonly branch: Branch;
  readonly taken: readonly Taken[];
  /** What was recalled, and calls whose outcome nobody knows: the new run must know of them. */
  readonly others: readonly StepRow[];
};

export type Planned = { readonly ok: true; readonly prefix: Prefix } | Refusal;

export type Wish = {
  /** Goes by this. */
  readonly installed: LlmInstalled;
  readonly aside: boolean;
  readonly mode: Reading["mode"];
  /** The first step to be made anew; left out, the first that has no answer. */
  readonly stop?: string | undefined;
  readonly results?: readonly ToolResultGiven[] | undefined;
  /** JSON of another input. */
  readonly input?: string | undefined;
};

/** Execute the journal as far as it goes, and say what of it is taken over. Writes nothing. */
export async function planPrefix(
  desk: Desk,
  row: InvocationRow,
  branch: Omit<Branch, "step">,
  wish: Wish,
): Promise<Planned> {
  const rows = rowsOf(desk, row.id);
  const results = givenResults(rows, wish.results ?? []);
  if (!results.ok) return results;
  const source = wish.input === undefined ? row : { ...row, input: `=${wish.input}` };
  const { mode, stop } = wish;
  const reading = { rows, mode, stop, results: results.given };
  const steps = new JournalSteps(desk, placeOf(desk, source, wish.installed), reading);
  const end = await endOf(steps, wish.installed);
  if (!end.ok) return end;
  if (stop !== undefined && end.step !== stop) {
    return refuse("invalid", `the journal does not come to ${stop}`, {
      errors: [{ pointer: "/step", detail: `it ends before ${end.step ?? "it"}` }],
    });
  }
  const { taken, unknown } = steps;
  // What was recalled goes with the question it was recalled for; another one recalls for itself.
  const asked = taken.length > 0 || wish.input === undefined;
  const recalled = asked ? [...rows.values()].filter(isRecalled) : [];
  const { installed, aside } = wish;
  const begun = { ...branch, step: end.step };
  return {
    ok: true,
    prefix: { installed, aside, branch: begun, taken, others: [...recalled, ...unknown] },
  };
}

/** A prefix of nothing: the whole work anew, under what `installed` is. */
export function emptyPrefix(
  installed: Installed,
  aside: boolean,
  branch: Omit<Branch, "step">,
): Prefix {
  return { installed, aside, branch: { ...branch, step: null }, taken: [], others: [] };
}

function isRecalled({ kind, state }: StepRow): boolean {
  return kind === "memory" && state === "done";
}

type End = { readonly ok: true; readonly step: string | null } | Refusal;

async function endOf(steps: JournalSteps, { spec, release }: LlmInstalled): Promise<End> {
  try {
    await converse(steps, spec.max_steps);
    return { ok: true, step: null };
  } catch (e) {
    if (e instanceof JournalEnd) return { ok: true, step: e.step };
    if (e instanceof RunFailure) return { ok: true, step: null };
    if (!(e instanceof Diverged)) throw e;
    const detail = `at step ${e.step}: under version ${release.version} ${e.message}`;
    return refuse("journal_mismatch", detail, {
      errors: [{ pointer: "/version", detail: "name the version it began with, or start fresh" }],
    });
  }
}

type Given = { readonly ok: true; readonly given: ReadonlyMap<string, ToolResult> } | Refusal;

function givenResults(
  rows: ReadonlyMap<string, StepRow>,
  results: readonly ToolResultGiven[],
): Given {
  const given = new Map<string, ToolResult>();
  for (const [n, { step, content, is_error: isError }] of results.entries()) {
    if (rows.get(step)?.kind !== "tool") {
      return refuse("invalid", "a result is given for what is no tool's step", {
        errors: [{ pointer: `/tool_results/${n}/step`, detail: "no such tool call" }],
      });
    }
    given.set(step, { content, isError });
  }
  return { ok: true, given };
}

/** Write what was taken over under the new invocation's id, in the transaction that makes it. */
export function writePrefix(sql: Sql, id: string, prefix: Prefix): void {
  sql.run("UPDATE invocation SET branch = ? WHERE id = ?", JSON.stringify(prefix.branch), id);
  for (const { key, row, inputHash, output } of prefix.taken) {
    const packed = pack(sql, `${id}/${key}/output`, JSON.stringify(output));
    const step = { ...row, state: "done" as const, input_hash: inputHash, output: packed };
    if (key === modelKey(0, 0)) writeFirst(sql, id, step);
    else insertStep(sql, id, key, step);
  }
  for (const row of prefix.others) {
    const output = row.output && pack(sql, `${id}/${row.key}/output`, unpack(sql, row.output));
    // Sent, for all that is known: the run finds out as it would after a crash.
    const doubtful = { state: "sent", output: null, finished_ms: null } as const;
    insertStep(sql, id, row.key, { ...row, output, ...(row.state === "unknown" && doubtful) });
  }
}

/** What was taken over cost nothing here: it is paid for where it was made. */
const PAID = { input_tokens: 0, output_tokens: 0, estimated: 0, cost_micros: 0 } as const;

function writeFirst(sql: Sql, id: string, step: StepRow): void {
  const { name, state, input_hash, started_ms, finished_ms, output } = step;
  const first = { name, state, attempt: 0, input_hash, ...PAID, started_ms, finished_ms };
  sql.run(
    "UPDATE invocation SET first = ?, first_output = ? WHERE id = ?",
    JSON.stringify(first),
    output,
    id,
  );
}

function insertStep(sql: Sql, id: string, key: string, step: StepRow): void {
  const input = step.input && pack(sql, `${id}/${key}/input`, unpack(sql, step.input));
  sql.run(
    `INSERT INTO step (invocation_id, key, kind, name, state, attempt, input_hash, input, output,
       input_tokens, output_tokens, estimated, cost_micros, started_ms, finished_ms)
     VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, 0, 0, 0, 0, ?, ?)`,
    id,
    key,
    step.kind,
    step.name,
    step.state,
    step.input_hash,
    input,
    step.output,
    step.started_ms,
    step.finished_ms,
  );
}
