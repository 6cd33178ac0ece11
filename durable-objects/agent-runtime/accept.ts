import { shareOf } from "../../core/deployments/homes.ts";
import { newId } from "../../core/ids.ts";
import { gcra } from "../../core/limits/gcra.ts";
import type { ModelRequest } from "../../core/models/contract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { boundOf, lower, overBudget } from "./bound.ts";
import { upstreamOf } from "./breaker.ts";
import { fitsRow, pack, sealJson } from "./content.ts";
import type { Call } from "./contract.ts";
import { packEvents, type Fact } from "./events.ts";
import { writeLineage } from "./lineage.ts";
import { findByKey, type InvocationRow } from "./invocations.ts";
import type { Claim, Kernel } from "./kernel.ts";
import { type Prefix, writePrefix } from "./prefix.ts";
import { hashOf, requestFor, worstCaseMicros, type Place } from "./prompt.ts";
import { prepares } from "./memory/prepare.ts";
import { openSession } from "./open-session.ts";
import type { Installed, LlmInstalled } from "./releases.ts";
import { inputMessages } from "./sessions.ts";
import type { Sql } from "./sql.ts";
import { firstSent, modelKey, type FirstStep } from "./steps.ts";

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
 * Decide about one call, without an await from the first look to the last write:
 * idempotency → queue depth → rate → session → limits and money → the invocation's row with its first events,
 * and, when nothing is before it, the claim and the first step as `sent` (DECISIONS 5).
 *
 * A refusal is returned before anything is written: it burns neither key nor rate. One that is
 * `Short` (./spend.ts) asks for a call to the tenant's gate, and to be decided anew after it.
 *
 * @param prefix  What it takes over from the journal it goes on from; it is then begun by being due.
 */
export function admit(
  kernel: Kernel,
  call: Call,
  installed: Installed,
  nowMs: number,
  prefix?: Prefix,
): Admission {
  const known = replay(kernel, call);
  if (known) return known;
  const full = crowded(kernel, installed);
  if (full) return full;
  const rate = takeRate(kernel, installed, nowMs);
  if (!rate.ok) return rate;
  const session = openSession(kernel, call, installed.release.tag, nowMs);
  if (!session.ok) return session;
  const place = {
    id: newId("invocation", nowMs, installed.release.tag),
    sessionId: session.id,
    turn: session.turn,
    input: inputMessages(call.input),
    ...(prefix && { branch: prefix.branch }),
  };
  const asks = installed.kind === "llm" ? firstRequest(kernel, { ...place, installed }) : undefined;
  const worst = asks === undefined ? 0 : worstOf(asks);
  const demand = kernel.spend.demand(installed.release, call, worst, nowMs);
  if (demand?.ok === false) return demand;
  const bound = lower(boundOf(call.maxCostMicros, installed), demand?.boundMicros);
  if (bound !== undefined && worst > bound) return overBudget(bound);
  const short = demand && kernel.spend.short(demand);
  if (short) return short;
  const held = prefix ? nowMs : call.heldUntilMs;
  const room = held === undefined && kernel.running.size < MAX_RUNNING;
  const starts = session.free && room && kernel.intake.starts(installed);
  const dueMs = session.free ? (held ?? nowMs) : null;
  const later = asks === undefined || prepares(asks.installed) || !admitted(kernel, asks);
  const first = starts && !later ? firstStep(kernel, asks, nowMs) : undefined;
  const begin: Beginning = { dueMs, starts, step: first?.step, tatUs: rate.tatUs };
  const write = (): InvocationRow => {
    session.take?.();
    const made = insertInvocation(kernel, call, { ...place, installed }, begin, nowMs);
    if (prefix) writePrefix(kernel.sql, made.id, prefix);
    if (demand) kernel.spend.take(made.id, demand);
    if (call.lineage) writeLineage(kernel.sql, made.id, call.lineage);
    return made;
  };
  const alone =
    session.take === undefined && !call.lineage && !prefix && !demand && fitsRow(call.input);
  const row = alone ? write() : kernel.sql.transaction(write);
  if (rate.tatUs !== null) kernel.rate.tatUs = rate.tatUs;
  const run = { attempt: 1, failures: 0, deltas: call.deltas, maxCostMicros: bound };
  return {
    ok: true,
    id: place.id,
    sessionId: place.sessionId,
    replayed: false,
    claim: starts
      ? { ...place, installed, ...run, seq: row.opened + 1, ...(first && { first }), row }
      : undefined,
  };
}

/** What the run of an `llm` agent asks first. */
type Asks = { readonly request: ModelRequest; readonly installed: LlmInstalled };

function firstRequest(kernel: Kernel, place: Place): Asks {
  const { installed } = place;
  return { request: requestFor(kernel, place, installed.spec.model, 0, []), installed };
}

/** Would its provider be asked now? Else it is not `sent` with the accept. */
function admitted({ breakers }: Kernel, { installed }: Asks): boolean {
  return breakers.closed(upstreamOf(installed.spec.model));
}

function worstOf({ installed, request }: Asks): number {
  return worstCaseMicros(installed, installed.spec.model, request);
}

/** The first model call as `sent`, in the row that is about to be written. */
function firstStep(kernel: Kernel, { installed, request }: Asks, nowMs: number) {
  const inputHash = hashOf(kernel, request);
  const step = firstSent({ name: installed.spec.model, attempt: 1, inputHash, nowMs });
  return { request, step };
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
  const { objects, replica } = installed.release;
  const whole = installed.spec.limits.requests_per_minute;
  if (whole === undefined) return { ok: true, tatUs: null };
  const perMinute = objects === undefined ? whole : shareOf(whole, replica, objects);
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

type Beginning = {
  /** When it is due, unless it starts now or waits for a turn before it. */
  readonly dueMs: number | null;
  readonly starts: boolean;
  /** Present when it starts now with a model call. */
  readonly step: FirstStep | undefined;
  readonly tatUs: number | null;
};

function insertInvocation(
  kernel: Kernel,
  call: Call,
  place: Pick<Claim, "id" | "sessionId" | "turn" | "installed">,
  { starts, step, dueMs, tatUs }: Beginning,
  nowMs: number,
): InvocationRow {
  const { release } = place.installed;
  const facts = openingOf(place, starts, step);
  const row: InvocationRow = {
    id: place.id,
    principal: call.principal,
    idem: call.idempotencyKey ?? null,
    fingerprint: call.fingerprint,
    session_id: place.sessionId,
    turn: place.turn,
    generation: release.generation,
    version: release.version,
    due_ms: step ? null : dueMs,
    deltas: call.deltas ? 1 : 0,
    input: pack(kernel.sql, `${place.id}/input`, call.input),
    metadata: call.metadata
      ? sealJson(kernel.sql, `${place.id}/metadata`, JSON.stringify(call.metadata))
      : null,
    max_cost_micros: call.maxCostMicros ?? null,
    redriven_from: call.redrivenFrom ?? null,
    request_id: call.requestId,
    traceparent: call.traceparent ?? null,
    created_ms: nowMs,
    opening: packEvents(kernel.sql, place.id, 1, facts),
    opened: facts.length,
    tat_us: tatUs,
    first: step ? JSON.stringify(step) : null,
    status: starts ? "running" : "accepted",
    attempt: starts ? 1 : 0,
    ...UNTOUCHED,
  };
  kernel.sql.run(INSERT_INVOCATION, ...BOUND.map((name) => row[name]));
  return row;
}

function openingOf(
  place: Pick<Claim, "id" | "sessionId">,
  starts: boolean,
  step: FirstStep | undefined,
): readonly Fact[] {
  const ids = { invocation_id: place.id, session_id: place.sessionId };
  const accepted: Fact = ["invocation.accepted", ids];
  if (!starts) return [accepted];
  const began: Fact = ["run.started", { attempt: 1 }];
  if (step === undefined) return [accepted, began];
  const started = { key: modelKey(0, 0), kind: "model", name: step.name };
  return [accepted, began, ["step.started", started]];
}

/** What every new row has; constants of the statement, because each binding has its price. */
const UNTOUCHED = {
  failures: 0,
  restarts: 0,
  output: null,
  error: null,
  input_tokens: 0,
  output_tokens: 0,
  model_calls: 0,
  tool_calls: 0,
  estimated: 0,
  cost_micros: 0,
  completed_ms: null,
  closing: null,
  closed: null,
  tokens: 0,
  pending: 1,
  first_output: null,
  erased: null,
  branch: null,
} as const satisfies Partial<InvocationRow>;

const BOUND = [
  "id",
  "principal",
  "idem",
  "fingerprint",
  "session_id",
  "turn",
  "generation",
  "version",
  "due_ms",
  "deltas",
  "input",
  "metadata",
  "max_cost_micros",
  "redriven_from",
  "request_id",
  "traceparent",
  "created_ms",
  "opening",
  "opened",
  "tat_us",
  "first",
  "status",
  "attempt",
] as const satisfies readonly (keyof InvocationRow)[];

const INSERT_INVOCATION = `INSERT INTO invocation
  (${[...BOUND, ...Object.keys(UNTOUCHED)].join(", ")})
  VALUES (${[...BOUND.map(() => "?"), ...Object.values(UNTOUCHED).map(String)].join(", ")})`;
