/**
 * What a run did, undone when it fails for good (F76).
 *
 * C1  How the run ends is written down before the first compensation is sent; from then on nothing
 *     but compensations happens in it.
 * C2  Each call that took effect is compensated once, the last first, each as a step of its own with
 *     a key of its own.
 * C3  A compensation that fails keeps no other from being made; the run's error says how many did.
 */
import { canonical } from "../../core/json/canonical.ts";
import type { ProblemData } from "../../core/problem.ts";
import type { ToolResult } from "../../core/tools/contract.ts";
import { openJson, sealJson, unpack } from "./content.ts";
import { changedArguments } from "./approvals.ts";
import { hold, isHeld, unnoted } from "./consent.ts";
import { appendEvents } from "./events.ts";
import { RunFailure } from "./failure.ts";
import type { InvocationRow } from "./invocations.ts";
import { underWay, type Kernel, type LlmClaim } from "./kernel.ts";
import { giveUp } from "./settle.ts";
import type { Sql } from "./sql.ts";
import { findStep, finishStep, listSteps, markSent, NO_COST, outputOf, undoKey } from "./steps.ts";
import type { StepRow } from "./steps.ts";
import { callTool, type SentCall } from "./tool-call.ts";

/** How a run will have ended once what it did is undone. */
export type Ending = { readonly status: "failed" | "dead"; readonly problem: ProblemData };

export function endingOf(sql: Sql, invocationId: string): Ending | undefined {
  const row = sql.one<{ status: Ending["status"]; error: string }>(
    "SELECT status, error FROM ending WHERE invocation_id = ?",
    invocationId,
  );
  return (
    row && { status: row.status, problem: JSON.parse(openJson(sql, row.error)) as ProblemData }
  );
}

/** C1, in the transaction in which the run failed. */
export function writeEnding(sql: Sql, invocationId: string, { status, problem }: Ending): void {
  const { code, detail } = problem;
  const error = sealJson(sql, `${invocationId}/ending`, JSON.stringify({ code, detail }));
  sql.run("INSERT OR REPLACE INTO ending VALUES (?, ?, ?)", invocationId, status, error);
}

/** Is there something to undo? What was taken over from another run's journal is that run's. */
export function undoable({ sql }: Kernel, claim: LlmClaim): readonly StepRow[] {
  const compensated = claim.installed.spec.tools.some(
    (tool) => tool.kind === "http" && tool.compensate_with !== undefined,
  );
  if (!compensated) return [];
  return listSteps(sql, claim.id)
    .filter(({ kind, state, name, attempt, ...row }) => {
      const with_ = claim.installed.tool(name)?.rules?.compensateWith;
      if (kind !== "tool" || state !== "done" || attempt === 0 || with_ === undefined) return false;
      const output = outputOf(sql, { kind, state, name, attempt, ...row });
      return output !== undefined && "result" in output && !output.result.isError;
    })
    .toReversed();
}

/** Undo what there is to undo and end the run. @throws Suspended | Again  it goes on later */
export async function undo(
  kernel: Kernel,
  claim: LlmClaim,
  { status, problem }: Ending,
): Promise<InvocationRow | undefined> {
  const steps = undoable(kernel, claim);
  let undone = 0;
  for (const step of steps) if (await compensate(kernel, claim, step)) undone += 1;
  const left = steps.length - undone;
  const said = left === 0 ? "" : `; ${left} of ${steps.length} effects could not be undone`;
  const told = { ...problem, detail: `${problem.detail}${said}` };
  return kernel.sql.transaction(() => {
    kernel.sql.run("DELETE FROM ending WHERE invocation_id = ?", claim.id);
    return giveUp(kernel, claim, status, told, [], kernel.now());
  });
}

/** C2. True when it is undone. */
async function compensate(kernel: Kernel, claim: LlmClaim, step: StepRow): Promise<boolean> {
  const sent = sendUndo(kernel, claim, step);
  if (!sent) return false;
  const stop = new AbortController();
  underWay(kernel, claim, stop);
  try {
    return !(await callTool(kernel, claim, sent, stop.signal)).isError;
  } catch (e) {
    if (!(e instanceof RunFailure)) throw e;
    kernel.sql.transaction(() => {
      e.record();
      if (e.facts.length > 0) appendEvents(kernel.sql, claim.id, claim.seq, e.facts, kernel.now());
      const { code, detail } = e.problem;
      const failure = { failure: { code, detail } };
      finishStep(kernel.sql, claim.id, sent.key, "failed", failure, NO_COST, kernel.now());
    });
    claim.seq += e.facts.length;
    return false;
  }
}

/** The compensation as it is in the journal, put there when it is not; undefined once it failed. */
function sendUndo(kernel: Kernel, claim: LlmClaim, step: StepRow): SentCall | undefined {
  const { sql } = kernel;
  const name = claim.installed.tool(step.name)?.rules?.compensateWith ?? "";
  const tool = claim.installed.tool(name);
  const key = undoKey(step.key);
  const row = findStep(sql, claim.id, key);
  if (!tool || row?.state === "failed") return undefined;
  const args = argumentsOf(tool.offer.inputSchema["properties"], {
    idempotency_key: `${claim.branch?.origin ?? claim.id}/${step.key}`,
    ...madeWith(kernel, claim, step),
  });
  const text = canonical(args);
  const call = { id: key, name, arguments: text };
  const known = row && outputOf(sql, row);
  const result: ToolResult | undefined = known && "result" in known ? known.result : undefined;
  const doubtful = row !== undefined && row.state !== "planned";
  if (row) return { key, call, tool, args, result, doubtful };
  sql.transaction(() => {
    const nowMs = kernel.now();
    const inputHash = kernel.sha256(`${name}\n${text}`);
    const at = { invocationId: claim.id, key, kind: "compensation", name } as const;
    markSent(sql, { ...at, attempt: claim.attempt, inputHash, input: text, nowMs });
    if (isHeld({ tool, args }) || tool.rules?.breaker) hold(sql, claim.id, key);
    const told = { key, call_id: key, name, arguments: args, compensates: step.key };
    appendEvents(sql, claim.id, claim.seq, [["tool.called", told]], nowMs);
  });
  claim.seq += 1;
  return { key, call, tool, args, result: undefined, doubtful: false };
}

/** The arguments a call went out with, a person's where one changed them, and what it gave. */
function madeWith(
  kernel: Kernel,
  claim: LlmClaim,
  step: StepRow,
): Readonly<Record<string, unknown>> {
  const { sql } = kernel;
  const changed = changedArguments(kernel, claim, step.key);
  const asked = step.input === null ? "" : unpack(sql, step.input);
  const output = outputOf(sql, step);
  const said = output && "result" in output ? output.result.content : "";
  return {
    ...objectIn(changed === undefined ? asked : JSON.stringify(changed)),
    ...objectIn(changed === undefined ? said : unnoted(said, changed)),
  };
}

/**
 * What a compensation is called with: each property its `input_schema` names, from the result of the
 * call it undoes, else from that call's arguments, else `idempotency_key`, that call's key.
 */
function argumentsOf(
  properties: unknown,
  known: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const names = typeof properties === "object" && properties !== null ? properties : {};
  const given = Object.keys(names).filter((name) => Object.hasOwn(known, name));
  return Object.fromEntries(given.map((name) => [name, known[name]]));
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    const plain = typeof value === "object" && value !== null && !Array.isArray(value);
    return plain ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {}; // text of another kind: there is nothing to take from it
  }
}
