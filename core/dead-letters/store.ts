/**
 * Dead letters: a projection of what the objects told, written with the ledger, and what was done
 * about each.
 *
 * L1  A letter is handed on by whoever took it (`redriving`) and by nobody else meanwhile.
 * L2  Taken and not settled within a minute, it may be taken again: its object knows the key it was
 *     handed on under and answers with the invocation that was made then.
 */
import { type SQL, and, asc, count, desc, eq, gte, inArray, lt, max, min, or } from "drizzle-orm";
import { agentIds } from "../agents/live.ts";
import { rfc3339 } from "../clock.ts";
import { insertRows } from "../db/bulk.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { type Page, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { LedgerEntry } from "../usage/contract.ts";
import type {
  DeadLetter,
  DeadLetterCause,
  DeadLetterCauseQuery,
  DeadLetterQuery,
} from "./contract.ts";
import { deadLetter } from "./table.ts";

/** After this somebody who took a letter is taken to have died over it. */
const TAKEN_MS = 60_000;

/** Causes told at once: a tenant with more has other worries. */
const CAUSES = 500;

/**
 * Statements that take over what ended without an answer, and settle the letters that another
 * invocation goes on with, also when whoever handed them on died before saying so.
 */
export function letterStatements(scope: TenantScope, entries: readonly LedgerEntry[]) {
  const rows = entries.flatMap((entry) => toRow(scope.tenantId, entry));
  const byId = new Map(rows.map((row) => [row.id, row]));
  const made =
    byId.size === 0
      ? []
      : [insertRows(scope, deadLetter, [...byId.values()]).onConflictDoNothing()];
  const settled = entries.flatMap(({ invocation: { id, redriven_from: from } }) =>
    from === null ? [] : [settling(scope, from, id)],
  );
  return [...made, ...settled];
}

/** Newest first. A filter that names nothing of this tenant gives an empty page. */
export async function listDeadLetters(
  scope: TenantScope,
  query: DeadLetterQuery,
): Promise<Page<DeadLetter>> {
  const before = idAfter("invocation", query.cursor);
  const rows = await scope.db
    .select()
    .from(deadLetter)
    .where(
      and(
        eq(deadLetter.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(deadLetter.id, before),
        query.state === undefined ? undefined : eq(deadLetter.state, query.state),
        ...filters(scope, query),
      ),
    )
    .orderBy(desc(deadLetter.id))
    .limit(query.limit + 1);
  return pageOf(rows.map(toLetter), query.limit, (row) => row.id);
}

/** What is open, grouped by cause, agent and environment; most letters first. */
export async function deadLetterCauses(
  scope: TenantScope,
  query: DeadLetterCauseQuery,
): Promise<readonly DeadLetterCause[]> {
  const { cause, status, agentId, environment } = deadLetter;
  const rows = await scope.db
    .select({
      cause,
      status,
      agentId,
      agent: max(deadLetter.agent),
      environment,
      letters: count(),
      first: min(deadLetter.endedAtMs),
      last: max(deadLetter.endedAtMs),
    })
    .from(deadLetter)
    .where(
      and(
        eq(deadLetter.tenantId, scope.tenantId),
        eq(deadLetter.state, "open"),
        ...filters(scope, query),
      ),
    )
    .groupBy(cause, status, agentId, environment)
    .orderBy(desc(count()), asc(cause), asc(agentId), asc(environment), asc(status))
    .limit(CAUSES);
  return rows.map((row) => ({
    cause: row.cause,
    status: row.status,
    agent_id: row.agentId,
    agent: row.agent ?? row.agentId,
    environment: row.environment,
    count: row.letters,
    first_ended_at: rfc3339(Number(row.first)),
    last_ended_at: rfc3339(Number(row.last)),
  }));
}

/** @throws Problem `not_found` */
export async function getDeadLetter(scope: TenantScope, id: string): Promise<DeadLetter> {
  const [row] = await scope.db.select().from(deadLetter).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such dead letter");
  return toLetter(row);
}

/**
 * L1: take a letter to hand it on.
 *
 * @throws Problem `not_found` | `conflict` when it was handed on, or somebody is at it now
 */
export async function takeLetter(scope: TenantScope, id: string, nowMs: number): Promise<void> {
  const [taken] = await scope.db
    .update(deadLetter)
    .set({ state: "redriving", takenAtMs: nowMs })
    .where(and(one(scope, id), takeable(nowMs)))
    .returning({ id: deadLetter.id });
  if (taken !== undefined) return;
  const { state } = await getDeadLetter(scope, id); // throws not_found when that is the reason
  const done = state === "redriven";
  throw new Problem("conflict", done ? "it was re-driven already" : "it is being re-driven now");
}

/** What came of handing a letter on: the invocation that goes on with it, or why there is none. */
export type Handed =
  | { readonly ok: true; readonly to: string }
  | { readonly ok: false; readonly code: string; readonly detail: string };

/** Settle what was taken. */
export async function settleLetter(scope: TenantScope, id: string, handed: Handed): Promise<void> {
  if (handed.ok) {
    await settling(scope, id, handed.to);
    return;
  }
  await scope.db
    .update(deadLetter)
    .set({ state: "open", refusedCode: handed.code, refusedDetail: handed.detail })
    .where(and(one(scope, id), eq(deadLetter.state, "redriving")));
}

/** May be taken: open, or left by somebody who died over it (L2). */
export function takeable(nowMs: number): SQL | undefined {
  return or(
    eq(deadLetter.state, "open"),
    and(eq(deadLetter.state, "redriving"), lt(deadLetter.takenAtMs, nowMs - TAKEN_MS)),
  );
}

/** Somebody is at it, and is not taken to have died over it yet. */
export function atWork(nowMs: number): SQL | undefined {
  return and(eq(deadLetter.state, "redriving"), gte(deadLetter.takenAtMs, nowMs - TAKEN_MS));
}

function settling(scope: TenantScope, id: string, to: string) {
  return scope.db
    .update(deadLetter)
    .set({ state: "redriven", redrivenTo: to, refusedCode: null, refusedDetail: null })
    .where(and(one(scope, id), inArray(deadLetter.state, ["open", "redriving"])));
}

function filters(
  scope: TenantScope,
  query: Omit<DeadLetterQuery, "limit" | "cursor" | "state">,
): readonly (SQL | undefined)[] {
  const { agent, environment, cause, status } = query;
  return [
    agent === undefined ? undefined : inArray(deadLetter.agentId, agentIds(scope, agent)),
    environment === undefined ? undefined : eq(deadLetter.environment, environment),
    cause === undefined ? undefined : eq(deadLetter.cause, cause),
    status === undefined ? undefined : eq(deadLetter.status, status),
  ];
}

function one({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(deadLetter.tenantId, tenantId), eq(deadLetter.id, id));
}

function toRow(
  tenantId: string,
  { invocation: of, agentId }: LedgerEntry,
): readonly (typeof deadLetter.$inferInsert)[] {
  if ((of.status !== "dead" && of.status !== "failed") || of.completed_at === null) return [];
  return [
    {
      tenantId,
      id: of.id,
      agentId,
      agent: of.agent,
      environment: of.environment,
      version: of.version,
      sessionId: of.session_id,
      status: of.status,
      cause: of.error?.code ?? "internal",
      detail: of.error?.detail ?? "",
      attempts: of.attempts,
      costMicros: of.cost_micros,
      state: "open",
      takenAtMs: null,
      redrivenTo: null,
      refusedCode: null,
      refusedDetail: null,
      createdAtMs: Date.parse(of.created_at),
      endedAtMs: Date.parse(of.completed_at),
    },
  ];
}

function toLetter(row: typeof deadLetter.$inferSelect): DeadLetter {
  const { refusedCode: code } = row;
  return {
    id: row.id,
    agent_id: row.agentId,
    agent: row.agent,
    environment: row.environment,
    version: row.version,
    session_id: row.sessionId,
    status: row.status,
    cause: row.cause,
    detail: row.detail,
    attempts: row.attempts,
    cost_micros: row.costMicros,
    state: row.state,
    redriven_to: row.redrivenTo,
    refused: code === null ? null : { code, detail: row.refusedDetail ?? "" },
    created_at: rfc3339(row.createdAtMs),
    ended_at: rfc3339(row.endedAtMs),
  };
}
