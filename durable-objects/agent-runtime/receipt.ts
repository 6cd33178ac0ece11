import { rfc3339 } from "../../core/clock.ts";
import { usd } from "../../core/invocations/contract.ts";
import { canonical } from "../../core/json/canonical.ts";
import type { Receipt, ReceiptEffect } from "../../core/replays/contract.ts";
import { type Desk as ApprovalDesk, approvalsOfInvocation } from "./approval-desk.ts";
import { branchIn } from "./branch.ts";
import { unpack } from "./content.ts";
import type { InvocationRow } from "./invocations.ts";
import { lineageOf } from "./lineage.ts";
import { errorOf, type Desk } from "./replay.ts";
import { listSteps, type StepRow } from "./steps.ts";

/** Longest chain of invocations told. */
const LONGEST = 32;

/**
 * What an invocation was, did and cost, from its row and journal: content only as hashes. What its
 * version is known by in the control plane is left for that to say.
 */
export function receiptOf(at: ApprovalDesk, row: InvocationRow): Receipt {
  const { kernel: desk, owner, naming } = at;
  const { sql } = desk;
  const steps = listSteps(sql, row.id);
  const effects = steps.map((step) => effectOf(desk, step));
  const inputHash = desk.sha256(unpack(sql, row.input));
  const outputHash = row.output === null ? null : desk.sha256(unpack(sql, row.output));
  const branch = row.branch === null ? undefined : branchIn(row.branch);
  const { model = null, instructions } = branch?.changes ?? {};
  return {
    invocation_id: row.id,
    agent_id: owner.agentId,
    agent: naming.agent,
    environment: naming.environment,
    version: row.version,
    version_id: null,
    spec_hash: null,
    changes: {
      model,
      instructions_hash: instructions === undefined ? null : desk.sha256(instructions),
    },
    status: row.status,
    error: errorOf(sql, row),
    principal: row.principal,
    session_id: row.session_id,
    request_id: row.request_id,
    attempts: row.attempt,
    created_at: rfc3339(row.created_ms),
    completed_at: timeOf(row.completed_ms),
    models: modelsIn(effects),
    tools: toolsIn(effects),
    effects,
    approvals: approvalsOf(at, row.id),
    input_tokens: row.input_tokens,
    output_tokens: row.output_tokens,
    cost_micros: row.cost_micros,
    cost_usd: usd(row.cost_micros),
    lineage: lineageOf(sql, row),
    descent: descentOf(desk, row),
    redriven_from: row.redriven_from,
    forked_from: branch?.how === "fork" ? branch.from : null,
    input_hash: inputHash,
    output_hash: outputHash,
    journal_hash: desk.sha256(canonical([row.id, inputHash, effects, outputHash])),
    ledgered: row.completed_ms !== null && row.pending === null,
  };
}

function effectOf({ sql, sha256 }: Desk, step: StepRow): ReceiptEffect {
  return {
    key: step.key,
    kind: step.kind,
    name: step.name,
    state: step.state,
    attempt: step.attempt,
    input_hash: step.input_hash,
    output_hash: step.output === null ? null : sha256(unpack(sql, step.output)),
    input_tokens: step.input_tokens,
    output_tokens: step.output_tokens,
    estimated: step.estimated === 1,
    cost_micros: step.cost_micros,
    cost_usd: usd(step.cost_micros),
    finished_at: timeOf(step.finished_ms),
  };
}

/** By name. What was taken over was called elsewhere: it is no call of this one. */
function called(
  effects: readonly ReceiptEffect[],
  kind: string,
): ReadonlyMap<string, readonly ReceiptEffect[]> {
  const own = effects.filter((effect) => effect.kind === kind && effect.attempt > 0);
  return Map.groupBy(own, ({ name }) => name);
}

function modelsIn(effects: readonly ReceiptEffect[]): Receipt["models"] {
  return [...called(effects, "model")].map(([model, calls]) => {
    const costMicros = sum(calls, "cost_micros");
    return {
      model,
      calls: calls.length,
      input_tokens: sum(calls, "input_tokens"),
      output_tokens: sum(calls, "output_tokens"),
      cost_micros: costMicros,
      cost_usd: usd(costMicros),
    };
  });
}

function toolsIn(effects: readonly ReceiptEffect[]): Receipt["tools"] {
  return [...called(effects, "tool")].map(([tool, calls]) => {
    const costMicros = sum(calls, "cost_micros");
    return { tool, calls: calls.length, cost_micros: costMicros, cost_usd: usd(costMicros) };
  });
}

function sum(
  effects: readonly ReceiptEffect[],
  of: "cost_micros" | "input_tokens" | "output_tokens",
): number {
  return effects.reduce((total, effect) => total + effect[of], 0);
}

function approvalsOf(desk: ApprovalDesk, invocationId: string): Receipt["approvals"] {
  return approvalsOfInvocation(desk, invocationId).map((approval) => ({
    id: approval.id,
    step: approval.step,
    kind: approval.kind,
    name: approval.name,
    status: approval.status,
    digest: approval.digest,
    decided_by: approval.votes.map(({ by, verdict, at }) => ({ by, verdict, at })),
    decided_at: approval.decided_at,
  }));
}

/** Where it came from, as far as it is still here. */
function descentOf({ sql }: Desk, row: InvocationRow): string[] {
  const chain: string[] = [];
  let from = cameFrom(row);
  while (from !== undefined && chain.length < LONGEST && !chain.includes(from)) {
    chain.push(from);
    const before = sql.one<Pick<InvocationRow, "redriven_from" | "branch">>(
      "SELECT redriven_from, branch FROM invocation WHERE id = ?",
      from,
    );
    from = before && cameFrom(before);
  }
  return chain;
}

function cameFrom(row: Pick<InvocationRow, "redriven_from" | "branch">): string | undefined {
  return row.redriven_from ?? (row.branch === null ? undefined : branchIn(row.branch).from);
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : rfc3339(ms);
}
