import { newId } from "../../core/ids.ts";
import { gcra } from "../../core/limits/gcra.ts";
import type { ModelRequest } from "../../core/models/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { pack } from "./content.ts";
import type { Call } from "./contract.ts";
import { packEvents, type Fact } from "./events.ts";
import { findByKey, type InvocationRow } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { hashOf, requestFor, worstCaseMicros, type Place } from "./prompt.ts";
import { openSession } from "./open-session.ts";
import type { Installed } from "./releases.ts";
import { inputMessages } from "./sessions.ts";
import type { Sql } from "./sql.ts";
import { markSent, modelKey } from "./steps.ts";

/** Runs one object carries at a time; what is over waits, accepted, for the next free place. */
export const MAX_RUNNING = 256;

export type Admission =
  | {
      readonly ok: true;
      readonly id: string;
      readonly sessionId: string;
      /** The key was known: nothing was written. */
      readonly replayed: boolean;
      /** Present when the run is to start in place. */
      readonly claim: Claim | undefined;
    }
  | Refusal;

/**
 * Decide about one call, inside the caller's transaction:
 * idempotency → queue depth → rate → session → money → the invocation's row with its first events,
 * and, when nothing is before it, the claim and the first step as `sent` (DECISIONS 5).
 *
 * A refusal is returned before anything is written: it burns neither key nor rate.
 */
export function admit(kernel: Kernel, call: Call, installed: Installed, nowMs: number): Admission {
  const known = replay(kernel, call);
  if (known) return known;
  const full = crowded(kernel, installed);
  if (full) return full;
  const rate = takeRate(kernel, installed, nowMs);
  if (!rate.ok) return rate;
  const session = openSession(kernel, call, installed.release.tag, nowMs);
  if (!session.ok) return session;
  const place: Place = {
    id: newId("invocation", nowMs, installed.release.tag),
    sessionId: session.id,
    turn: session.turn,
    installed,
    input: inputMessages(call.input),
  };
  const ref = installed.spec.model;
  const request = requestFor(kernel, place, ref, 0, []);
  const bound = boundOf(call.maxCostMicros, installed);
  if (bound !== undefined && worstCaseMicros(installed, ref, request) > bound) {
    return overBudget(bound);
  }
  session.take();
  const starts = session.free && kernel.running.size < MAX_RUNNING;
  const accepted: Fact = [
    "invocation.accepted",
    { invocation_id: place.id, session_id: place.sessionId },
  ];
  const facts = starts
    ? [accepted, ["run.started", { attempt: 1 }] as const, firstStep(kernel, place, request, nowMs)]
    : [accepted];
  const dueMs = session.free ? nowMs : null;
  insertInvocation(kernel, call, place, { starts, dueMs, facts, tatUs: rate.tatUs }, nowMs);
  if (rate.tatUs !== null) kernel.rate.tatUs = rate.tatUs;
  const seq = facts.length + 1;
  const run = { attempt: 1, failures: 0, deltas: call.deltas, maxCostMicros: bound, seq };
  return {
    ok: true,
    id: place.id,
    sessionId: place.sessionId,
    replayed: false,
    claim: starts ? { ...place, ...run, first: request } : undefined,
  };
}

function firstStep(kernel: Kernel, place: Place, request: ModelRequest, nowMs: number): Fact {
  const step = { key: modelKey(0, 0), kind: "model" as const, name: place.installed.spec.model };
  const inputHash = hashOf(kernel, request);
  markSent(kernel.sql, { ...step, invocationId: place.id, attempt: 1, inputHash, nowMs });
  return ["step.started", step];
}

/** 402: one model call could cost more than the invocation may. */
export function overBudget(boundMicros: number): Refusal {
  return refuse(
    "budget_exceeded",
    `one model call could cost more than the ${boundMicros} micro-USD this invocation may`,
    { errors: [{ pointer: "/max_cost_micros", detail: "too low for one call" }] },
  );
}

function replay(kernel: Kernel, call: Call): Admission | undefined {
  if (call.idempotencyKey === undefined) return undefined;
  const row = findByKey(kernel.sql, call.principal, call.idempotencyKey);
  if (!row) return undefined;
  if (row.fingerprint !== call.fingerprint) {
    return refuse("idempotency_mismatch", "this Idempotency-Key was used with another request", {
      errors: [{ pointer: "Idempotency-Key", detail: "used with another body" }],
    });
  }
  return {
    ok: true,
    id: row.id,
    sessionId: row.session_id,
    replayed: true,
    claim: undefined,
  };
}

function crowded(kernel: Kernel, installed: Installed): Refusal | undefined {
  if (kernel.open.count < installed.spec.limits.queue_depth) return undefined;
  return refuse("overloaded", "the agent has too many open invocations", { retryAfterMs: 1000 });
}

/** `tatUs`: when the next request would be due; null without a limit. */
type Rate = { readonly ok: true; readonly tatUs: number | null } | Refusal;

function takeRate(kernel: Kernel, installed: Installed, nowMs: number): Rate {
  const perMinute = installed.spec.limits.requests_per_minute;
  if (perMinute === undefined) return { ok: true, tatUs: null };
  kernel.rate.tatUs ??= lastTatUs(kernel.sql);
  const { tatUs, retryAfterMs } = gcra(kernel.rate.tatUs, perMinute, nowMs);
  if (retryAfterMs !== 0) {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    const quota = { name: "agent", limit: perMinute, periodMs: 60_000, remaining: 0 };
    const quotas = [{ ...quota, resetMs: retryAfterMs ?? null }];
    return refuse("rate_limited", `the agent admits ${perMinute} requests a minute`, {
      ...wait,
      quotas,
    });
  }
  return { ok: true, tatUs };
}

/** As the last accepted rows have it; more than these are not made in one millisecond. */
function lastTatUs(sql: Sql): number {
  const row = sql.one<{ tat_us: number | null }>(
    "SELECT max(tat_us) AS tat_us FROM (SELECT tat_us FROM invocation ORDER BY id DESC LIMIT 1000)",
  );
  return row?.tat_us ?? 0;
}

/** The lower of the caller's bound and the spec's. */
export function boundOf(
  callers: number | null | undefined,
  installed: Installed,
): number | undefined {
  const bounds = [callers ?? undefined, installed.spec.limits.max_cost_micros].filter(
    (bound) => bound !== undefined,
  );
  return bounds.length === 0 ? undefined : Math.min(...bounds);
}

function insertInvocation(
  kernel: Kernel,
  call: Call,
  place: Place,
  begin: {
    readonly starts: boolean;
    readonly dueMs: number | null;
    readonly facts: readonly Fact[];
    readonly tatUs: number | null;
  },
  nowMs: number,
): void {
  const row: InvocationRow = {
    id: place.id,
    principal: call.principal,
    idem: call.idempotencyKey ?? null,
    fingerprint: call.fingerprint,
    session_id: place.sessionId,
    turn: place.turn,
    generation: place.installed.release.generation,
    version: place.installed.release.version,
    status: begin.starts ? "running" : "accepted",
    attempt: begin.starts ? 1 : 0,
    failures: 0,
    restarts: 0,
    due_ms: begin.starts ? null : begin.dueMs,
    deltas: call.deltas ? 1 : 0,
    input: pack(kernel.sql, `${place.id}/input`, call.input),
    output: null,
    error: null,
    metadata: call.metadata ? JSON.stringify(call.metadata) : null,
    max_cost_micros: call.maxCostMicros ?? null,
    input_tokens: 0,
    output_tokens: 0,
    model_calls: 0,
    tool_calls: 0,
    estimated: 0,
    cost_micros: 0,
    redriven_from: call.redrivenFrom ?? null,
    request_id: call.requestId,
    traceparent: call.traceparent ?? null,
    created_ms: nowMs,
    completed_ms: null,
    opening: packEvents(kernel.sql, place.id, 1, begin.facts),
    opened: begin.facts.length,
    closing: null,
    closed: null,
    tokens: 0,
    pending: 1,
    tat_us: begin.tatUs,
  };
  kernel.sql.run(INSERT_INVOCATION, ...Object.values(row));
}

const INSERT_INVOCATION = `INSERT INTO invocation VALUES (${Array.from({ length: 37 }, () => "?").join(", ")})`;
