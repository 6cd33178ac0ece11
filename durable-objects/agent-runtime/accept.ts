import type { InputMessage } from "../../core/invocations/contract.ts";
import { newId } from "../../core/ids.ts";
import { gcra } from "../../core/limits/gcra.ts";
import type { ModelMessage, ModelRequest } from "../../core/models/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import type { z } from "zod";
import { pack } from "./content.ts";
import type { Call } from "./contract.ts";
import { appendEvents, type Fact } from "./events.ts";
import { findByKey, type InvocationRow } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { hashOf, requestFor, worstCaseMicros, type Place } from "./prompt.ts";
import { openSession } from "./open-session.ts";
import type { Installed } from "./releases.ts";
import { appendMessages } from "./sessions.ts";
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
 * idempotency → queue depth → rate → session → money → rows of invocation, message, event, and,
 * when nothing is before it, the claim and the first step as `sent` (DECISIONS 5).
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
  rate.take();
  session.take();
  const starts = session.free && kernel.running.size < MAX_RUNNING;
  appendMessages(kernel.sql, { ...place, n: 0 }, place.input);
  insertInvocation(kernel, call, place, { starts, dueMs: session.free ? nowMs : null }, nowMs);
  const accepted: Fact = [
    "invocation.accepted",
    { invocation_id: place.id, session_id: place.sessionId },
  ];
  const facts = starts
    ? [accepted, ["run.started", { attempt: 1 }] as const, firstStep(kernel, place, request, nowMs)]
    : [accepted];
  appendEvents(kernel.sql, place.id, 1, facts, nowMs);
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

type Rate = { readonly ok: true; take(): void } | Refusal;

function takeRate(kernel: Kernel, installed: Installed, nowMs: number): Rate {
  const perMinute = installed.spec.limits.requests_per_minute;
  if (perMinute === undefined) return { ok: true, take: () => {} };
  const row = kernel.sql.one<{ tat_us: number }>("SELECT tat_us FROM rate WHERE subject = 'agent'");
  const { tatUs, retryAfterMs } = gcra(row?.tat_us ?? 0, perMinute, nowMs);
  if (retryAfterMs !== 0) {
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return refuse("rate_limited", `the agent admits ${perMinute} requests a minute`, wait);
  }
  return {
    ok: true,
    take: () => {
      kernel.sql.run("INSERT OR REPLACE INTO rate VALUES ('agent', ?)", tatUs);
    },
  };
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

/** `InvokeBody.input` as messages; the edge has checked its shape. */
export function inputMessages(input: string): ModelMessage[] {
  const parsed = JSON.parse(input) as string | z.infer<typeof InputMessage>[];
  return typeof parsed === "string" ? [{ role: "user", content: parsed }] : parsed;
}

function insertInvocation(
  kernel: Kernel,
  call: Call,
  place: Place,
  begin: { readonly starts: boolean; readonly dueMs: number | null },
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
  };
  kernel.sql.run(INSERT_INVOCATION, ...Object.values(row));
}

const INSERT_INVOCATION = `INSERT INTO invocation VALUES (${Array.from({ length: 30 }, () => "?").join(", ")})`;
