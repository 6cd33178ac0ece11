import type {
  Approval,
  ApprovalEntry,
  ApprovalSummary,
  Deciding,
  Vote,
} from "../../core/approvals/contract.ts";
import { decideOn } from "../../core/approvals/decide.ts";
import { rfc3339 } from "../../core/clock.ts";
import { canonical } from "../../core/json/canonical.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { checkArguments } from "../../core/tools/schema.ts";
import {
  answerOf,
  digestOf,
  expire,
  ruleOf,
  standingOf,
  votesOf,
  writeRow,
  type Answer,
  type ApprovalRow,
} from "./approvals.ts";
import { pack, unpack } from "./content.ts";
import type { Owner } from "./contract.ts";
import type { FoundApproval, SeenApproval } from "./contract-waits.ts";
import { findInvocation, type Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import type { Sql } from "./sql.ts";
import { textOf } from "./text.ts";
import { resume } from "./wake.ts";

/** What people see of approvals and do to them, for one call. */
export type Desk = { readonly kernel: Kernel; readonly owner: Owner; readonly naming: Naming };

export function readApproval(desk: Desk, id: string): FoundApproval | Refusal {
  const row = findApproval(desk.kernel.sql, id);
  return row ? found(desk, row) : missing();
}

/** P2: look, weigh, write and wake, in one transaction. */
export function decideApproval(
  desk: Desk,
  id: string,
  by: Deciding,
  own: readonly string[],
): FoundApproval | Refusal {
  const { kernel, owner } = desk;
  return kernel.sql.transaction(() => {
    const before = findApproval(kernel.sql, id);
    if (!before) return missing();
    const standing = standingOf(kernel, owner.tenantId, before);
    if (standing === "bad") {
      return refuse("journal_mismatch", "the approval is not as it was signed");
    }
    if (standing === "foreign") {
      resume(kernel, before.invocation_id, kernel.now());
      return refuse("conflict", "its signature's key is gone: it is asked anew, read it again");
    }
    const row = expire(kernel, owner.tenantId, before);
    if (row.status !== before.status) resume(kernel, row.invocation_id, kernel.now());
    const misfit = argumentsRefused(kernel, row, by);
    if (misfit) return misfit;
    const votes = votesOf(kernel.sql, row);
    const open = {
      kind: row.kind,
      status: row.status,
      digest: row.digest,
      rule: ruleOf(row),
      votes,
      expiresMs: row.expires_ms,
      own: [row.principal, ...own],
    };
    const decided = decideOn(open, by, kernel.now());
    if (!decided.ok) return decided;
    if (decided.votes === votes) return found(desk, row);
    return found(desk, write(desk, row, decided.votes, decided.status));
  });
}

/** Approvals the listing has not as they are now, oldest first. */
export function approvalsOwed(desk: Desk, limit: number): readonly ApprovalEntry[] {
  return desk.kernel.sql
    .all<ApprovalRow>("SELECT * FROM approval WHERE owed IS NOT NULL ORDER BY id LIMIT ?", limit)
    .map((row) => {
      const { agentId } = desk.owner;
      return Object.assign(summaryOf(desk, row), { agentId, owed: row.owed ?? 0 });
    });
}

export function owesApprovals({ sql }: Kernel): boolean {
  return sql.one("SELECT 1 FROM approval WHERE owed IS NOT NULL LIMIT 1") !== undefined;
}

/** What was acknowledged is owed no more, unless it has changed since it was asked for. */
export function acknowledgeApprovals(
  { sql }: Kernel,
  seen: readonly SeenApproval[],
): { readonly ok: true } {
  return sql.transaction(() => {
    for (const { id, owed } of seen) {
      sql.run("UPDATE approval SET owed = NULL WHERE id = ? AND owed = ?", id, owed);
    }
    return { ok: true };
  });
}

/** All of one invocation, in the order they were asked. */
export function approvalsOfInvocation(desk: Desk, invocationId: string): readonly Approval[] {
  return desk.kernel.sql
    .all<ApprovalRow>("SELECT * FROM approval WHERE invocation_id = ? ORDER BY id", invocationId)
    .map((row) => onWire(desk, row));
}

function write(
  { kernel, owner }: Desk,
  row: ApprovalRow,
  votes: readonly Vote[],
  status: ApprovalRow["status"],
): ApprovalRow {
  const { sql } = kernel;
  const open = status === "pending";
  const last = votes.at(-1);
  const answer: Answer = {
    ...(last?.arguments === undefined ? {} : { arguments: last.arguments }),
    ...(last?.result === undefined ? {} : { result: last.result }),
    ...(last?.reason === undefined ? {} : { reason: last.reason }),
  };
  const of = `${row.invocation_id}/${row.id}`;
  const written = writeRow(kernel, owner.tenantId, {
    ...row,
    status,
    votes: pack(sql, `${of}/votes`, canonical(votes)),
    answer: open ? null : pack(sql, `${of}/answer`, canonical(answer)),
    decided_ms: open ? null : kernel.now(),
    owed: open ? row.owed : 2,
  });
  if (!open) resume(kernel, row.invocation_id, kernel.now());
  return written;
}

/** Changed arguments must be such as the tool takes. */
function argumentsRefused(kernel: Kernel, row: ApprovalRow, by: Deciding): Refusal | undefined {
  if (by.arguments === undefined) return undefined;
  const generation = findInvocation(kernel.sql, row.invocation_id)?.generation ?? 0;
  const installed = kernel.releases.get(generation);
  const offers = installed && "offers" in installed ? installed.offers : [];
  const offer = offers.find(({ name }) => name === row.name);
  const places = offer ? checkArguments(offer.inputSchema, by.arguments) : [];
  if (places.length === 0) return undefined;
  return refuse("invalid", "the tool does not take these arguments", {
    errors: places.map(({ pointer, detail }) => ({ pointer: `/arguments${pointer}`, detail })),
  });
}

function findApproval(sql: Sql, id: string): ApprovalRow | undefined {
  return sql.one<ApprovalRow>("SELECT * FROM approval WHERE id = ?", id);
}

function missing(): Refusal {
  return refuse("not_found", "no such approval");
}

function found(desk: Desk, row: ApprovalRow): FoundApproval {
  const body = textOf(JSON.stringify(onWire(desk, row)));
  return { ok: true, body, principal: row.principal };
}

function summaryOf({ naming }: Desk, row: ApprovalRow): ApprovalSummary {
  return {
    id: row.id,
    invocation_id: row.invocation_id,
    agent: naming.agent,
    environment: naming.environment,
    kind: row.kind,
    name: row.name,
    status: row.status,
    created_at: rfc3339(row.created_ms),
    expires_at: rfc3339(row.expires_ms),
    decided_at: row.decided_ms === null ? null : rfc3339(row.decided_ms),
  };
}

function onWire(desk: Desk, row: ApprovalRow): Approval {
  const { sql, sha256 } = desk.kernel;
  const asked: unknown = JSON.parse(unpack(sql, row.input));
  const answer = answerOf(sql, row);
  const what = {
    invocation: row.invocation_id,
    step: row.step_key,
    occurrence: row.occurrence,
    kind: row.kind,
    name: row.name,
    arguments: answer.arguments ?? asked,
    version: row.version,
  };
  const decided = row.status !== "pending";
  return {
    ...summaryOf(desk, row),
    version: row.version,
    step: row.step_key,
    arguments: asked,
    digest: row.digest,
    cost_micros: row.cost_micros,
    rule: ruleOf(row),
    votes: [...votesOf(sql, row)],
    decision: decided ? { digest: digestOf(sha256, what), ...answer } : null,
    signature: row.signature,
  };
}
