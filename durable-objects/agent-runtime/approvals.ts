/**
 * Decisions that a run waits for.
 *
 * P1  An approval is bound to its invocation, step, tool, arguments and version by a signature over
 *     all of it, decisions included. What does not verify is never acted on.
 * P2  The first decision that is valid ends it; nothing changes after.
 * P3  While it is open its run is `waiting`: nothing is held in memory.
 */
import {
  ApprovalRule,
  type ApprovalKind,
  type ApprovalStatus,
  type Decision,
  type Vote,
} from "../../core/approvals/contract.ts";
import { rfc3339 } from "../../core/clock.ts";
import { newId } from "../../core/ids.ts";
import { canonical } from "../../core/json/canonical.ts";
import { pack, unpack } from "./content.ts";
import { RunFailure, Suspended } from "./failure.ts";
import type { Claim, Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";
import { resume } from "./wake.ts";

/** What a run asks people about. */
export type Ask = {
  readonly stepKey: string;
  readonly kind: ApprovalKind;
  /** The tool. */
  readonly name: string;
  readonly arguments: unknown;
  readonly rule: ApprovalRule;
  /** Micro-USD the call is taken to cost. */
  readonly costMicros?: number;
  /** Above 0 when the same is asked again of the same step: after a further unknown outcome. */
  readonly occurrence?: number;
};

/** A row of `approval`, names as in the table. */
export type ApprovalRow = {
  readonly id: string;
  readonly invocation_id: string;
  readonly step_key: string;
  readonly kind: ApprovalKind;
  readonly occurrence: number;
  readonly name: string;
  readonly version: number;
  /** The run's own: it decides nothing. */
  readonly principal: string;
  /** Packed canonical JSON. */
  readonly input: string;
  /** Hash of what exactly is asked; an edit makes another. */
  readonly digest: string;
  readonly rule: string;
  readonly cost_micros: number | null;
  readonly status: ApprovalStatus;
  /** Packed JSON of `Vote[]`. */
  readonly votes: string;
  /** Packed JSON of what follows: changed arguments, a result, or a reason. */
  readonly answer: string | null;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly decided_ms: number | null;
  readonly signature: string;
  /** Not null while the control plane's listing has not acknowledged it: 1 as asked, 2 as decided. */
  readonly owed: number | null;
};

/** What follows from a decision, beside its status. */
export type Answer = {
  readonly arguments?: unknown;
  readonly result?: string;
  readonly reason?: string;
};

/**
 * The decision about what a step is to do. Asked before the step's effect is sent, by every attempt
 * that comes to it.
 *
 * @throws Suspended   while it is open; recorded with the suspension the first time it is asked.
 * @throws RunFailure  `journal_mismatch` when what is asked is not what was decided;
 *                     `approval_expired` when nobody decided and the rule says `fail`.
 */
export function gate(kernel: Kernel, claim: Claim, ask: Ask): Decision {
  const digest = digestOfAsk(kernel, claim, ask);
  const row = kernel.sql.one<ApprovalRow>(
    `SELECT * FROM approval
     WHERE invocation_id = ? AND step_key = ? AND kind = ? AND occurrence = ?`,
    claim.id,
    ask.stepKey,
    ask.kind,
    ask.occurrence ?? 0,
  );
  const standing = row && standingOf(kernel, claim.installed.release.tenantId, row);
  if (!row || standing === "foreign") throw requested(kernel, claim, ask, digest, row?.id);
  if (row.digest !== digest || standing === "bad") throw mismatch(row);
  const settled = expire(kernel, claim.installed.release.tenantId, row);
  if (settled.status === "pending") throw stillOpen(kernel, settled);
  return decisionOf(kernel.sql, settled);
}

/** The same row, or, when its time is over, as its rule says it came out. */
export function expire(kernel: Kernel, tenantId: string, row: ApprovalRow): ApprovalRow {
  const nowMs = kernel.now();
  if (row.status !== "pending" || nowMs < row.expires_ms) return row;
  return writeRow(kernel, tenantId, { ...row, status: "expired", decided_ms: nowMs, owed: 2 });
}

/** Sign the row as it now is and write it over what was there. */
export function writeRow(kernel: Kernel, tenantId: string, row: ApprovalRow): ApprovalRow {
  const signed = { ...row, signature: kernel.signer.sign(tenantId, wording(kernel.sql, row)) };
  const values = COLUMNS.map((name) => signed[name]);
  kernel.sql.run(WRITE, ...values);
  return signed;
}

/**
 * Is the row as it was signed? One that was signed under a key that is gone, or on another platform,
 * is `foreign`: nothing of it counts, and the same is asked anew.
 */
export function standingOf(
  kernel: Kernel,
  tenantId: string,
  row: ApprovalRow,
): "good" | "bad" | "foreign" {
  return kernel.signer.verify(tenantId, wording(kernel.sql, row), row.signature);
}

/** What exactly is decided about; one hash for one thing. */
export type Subject = {
  readonly invocation: string;
  readonly step: string;
  readonly occurrence: number;
  readonly kind: ApprovalKind;
  readonly name: string;
  readonly arguments: unknown;
  readonly version: number;
};

export function digestOf(sha256: Kernel["sha256"], what: Subject): string {
  return sha256(canonical(what));
}

/**
 * What a person let a call be made with, where that is not what the model asked for.
 *
 * @throws RunFailure  `journal_mismatch` when the approval is not as it was signed.
 */
export function changedArguments(kernel: Kernel, claim: Claim, stepKey: string): unknown {
  const row = kernel.sql.one<ApprovalRow>(
    `SELECT * FROM approval WHERE invocation_id = ? AND step_key = ? AND kind = 'tool'
     AND status = 'approved'`,
    claim.id,
    stepKey,
  );
  if (!row) return undefined;
  if (standingOf(kernel, claim.installed.release.tenantId, row) === "bad") throw mismatch(row);
  const decision = decisionOf(kernel.sql, row);
  return decision.verdict === "approved" && decision.edited ? decision.arguments : undefined;
}

/** The run has ended another way: nobody decides any more. In the transaction of that end. */
export function withdrawApprovals(kernel: Kernel, invocationId: string): void {
  const open = kernel.sql.all<ApprovalRow & { readonly generation: number }>(
    `SELECT a.*, i.generation FROM approval a JOIN invocation i ON i.id = a.invocation_id
     WHERE a.invocation_id = ? AND a.status = 'pending'`,
    invocationId,
  );
  const nowMs = kernel.now();
  for (const { generation, ...row } of open) {
    const tenantId = kernel.releases.get(generation)?.release.tenantId ?? "";
    writeRow(kernel, tenantId, { ...row, status: "cancelled", decided_ms: nowMs, owed: 2 });
  }
}

export function votesOf(sql: Sql, row: ApprovalRow): readonly Vote[] {
  return JSON.parse(unpack(sql, row.votes)) as Vote[]; // signed with the row
}

export function ruleOf(row: ApprovalRow): ApprovalRule {
  return ApprovalRule.parse(JSON.parse(row.rule));
}

export function answerOf(sql: Sql, row: ApprovalRow): Answer {
  return row.answer === null ? {} : (JSON.parse(unpack(sql, row.answer)) as Answer);
}

function decisionOf(sql: Sql, row: ApprovalRow): Decision {
  const approvalId = row.id;
  const answer = answerOf(sql, row);
  const asked: unknown = JSON.parse(unpack(sql, row.input));
  const status = row.status === "expired" ? EXPIRED[ruleOf(row).on_expiry] : row.status;
  if (status === "approved") {
    const args = Object.hasOwn(answer, "arguments") ? answer.arguments : asked;
    const edited = canonical(args) !== canonical(asked);
    return { verdict: "approved", approvalId, arguments: args, edited };
  }
  if (status === "happened") {
    return { verdict: "happened", approvalId, result: answer.result ?? "" };
  }
  if (status === "rejected") {
    const unsaid = row.status === "expired" ? "Nobody decided in time." : "";
    return { verdict: "rejected", approvalId, reason: answer.reason ?? unsaid };
  }
  const detail = `nobody decided about ${row.name} in time`;
  throw new RunFailure({ code: "approval_expired", detail }, false);
}

function stillOpen(kernel: Kernel, row: ApprovalRow): Suspended {
  const record = (): void => {
    // Decided while other steps of the run were still at work.
    const now = kernel.sql.one<{ status: ApprovalStatus }>(
      "SELECT status FROM approval WHERE id = ?",
      row.id,
    );
    if (now?.status !== "pending") resume(kernel, row.invocation_id, kernel.now());
  };
  return new Suspended("approval", row.expires_ms, [], record, { approval_id: row.id });
}

const EXPIRED = { approve: "approved", reject: "rejected", fail: "failed" } as const;

/** @param known  Its id, when it was asked before and nothing of that counts. */
function requested(
  kernel: Kernel,
  claim: Claim,
  ask: Ask,
  digest: string,
  known?: string,
): Suspended {
  const { tenantId, tag, version } = claim.installed.release;
  const nowMs = kernel.now();
  const id = known ?? newId("approval", nowMs, tag);
  const expiresMs = nowMs + ask.rule.expires_in_s * 1000;
  const told = { approval_id: id, key: ask.stepKey, kind: ask.kind, name: ask.name, digest };
  const record = (): void => {
    const by = kernel.sql.one<{ principal: string }>(
      "SELECT principal FROM invocation WHERE id = ?",
      claim.id,
    );
    writeRow(kernel, tenantId, {
      id,
      invocation_id: claim.id,
      step_key: ask.stepKey,
      kind: ask.kind,
      occurrence: ask.occurrence ?? 0,
      name: ask.name,
      version,
      principal: by?.principal ?? "",
      input: pack(kernel.sql, `${claim.id}/${id}/input`, canonical(ask.arguments)),
      digest,
      rule: JSON.stringify(ask.rule),
      cost_micros: ask.costMicros ?? null,
      status: "pending",
      votes: "=[]",
      answer: null,
      created_ms: nowMs,
      expires_ms: expiresMs,
      decided_ms: null,
      signature: "",
      owed: 1,
    });
  };
  const facts = [["approval.requested", { ...told, expires_at: rfc3339(expiresMs) }]] as const;
  return new Suspended("approval", expiresMs, facts, record, { approval_id: id });
}

function digestOfAsk(kernel: Kernel, claim: Claim, ask: Ask): string {
  const { stepKey: step, kind, name, arguments: args, occurrence = 0 } = ask;
  const { version } = claim.installed.release;
  const what = { invocation: claim.id, step, occurrence, kind, name, arguments: args, version };
  return digestOf(kernel.sha256, what);
}

/** All that the row says, in one text; the columns that may be large as what they stand for. */
function wording(sql: Sql, row: ApprovalRow): string {
  const { signature: _, owed: __, ...said } = row;
  const texts = {
    input: unpack(sql, row.input),
    votes: unpack(sql, row.votes),
    answer: row.answer === null ? null : unpack(sql, row.answer),
  };
  return canonical({ ...said, ...texts });
}

function mismatch(row: ApprovalRow): RunFailure {
  const detail = `what step ${row.step_key} would do is not what approval ${row.id} is about`;
  return new RunFailure({ code: "journal_mismatch", detail }, false);
}

const COLUMNS = [
  "id",
  "invocation_id",
  "step_key",
  "kind",
  "occurrence",
  "name",
  "version",
  "principal",
  "input",
  "digest",
  "rule",
  "cost_micros",
  "status",
  "votes",
  "answer",
  "created_ms",
  "expires_ms",
  "decided_ms",
  "signature",
  "owed",
] as const satisfies readonly (keyof ApprovalRow)[];

const WRITE = `INSERT OR REPLACE INTO approval (${COLUMNS.join(", ")})
  VALUES (${COLUMNS.map(() => "?").join(", ")})`;
