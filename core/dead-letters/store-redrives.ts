/**
 * Bulk re-drives.
 *
 * B1  The row is the record: whoever takes it up goes on behind `position`.
 * B2  Letters of a minute are counted in the row before they are handed on, so a restart gives
 *     nobody a second minute's worth; `position` moves when they were, so it passes none over.
 * B3  It takes letters that were there when it was asked for, in the order of their ids.
 */
import { type SQL, and, asc, count, desc, eq, gt, lt, lte, or } from "drizzle-orm";
import { auditRow, recorded, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { CreateRedrive, Redrive } from "./contract.ts";
import { atWork, takeable } from "./store.ts";
import { deadLetter, redrive } from "./table.ts";

export type RedriveRow = typeof redrive.$inferSelect;

/** Whoever works on one has this long to do a minute's worth. */
const TAKEN_MS = 50_000;
const MINUTE_MS = 60_000;

/** Asked for by `principal`, of one agent (its id) or of all. */
export type Wanted = Omit<CreateRedrive, "agent"> & {
  readonly agentId: string | undefined;
  readonly principal: string;
};

export async function createRedrive(
  scope: TenantScope,
  wanted: Wanted,
  nowMs: number,
): Promise<Redrive> {
  const { db, tenantId } = scope;
  const id = newId("redrive", nowMs);
  const fits = {
    agentId: wanted.agentId ?? null,
    environment: wanted.environment ?? null,
    cause: wanted.cause ?? null,
    letterStatus: wanted.status ?? null,
    position: "",
    createdAtMs: nowMs,
  };
  const [found] = await db
    .select({ letters: count() })
    .from(deadLetter)
    .where(and(fitting(scope, fits), takeable(nowMs)));
  const detail = { ...wanted, principal: undefined };
  const fact = { action: "redrive.created", kind: "redrive", id, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    status: "running" as const,
    ...fits,
    perMinute: wanted.per_minute,
    version: wanted.version ?? null,
    fresh: wanted.fresh ? 1 : 0,
    principal: wanted.principal,
    total: found?.letters ?? 0,
    redriven: 0,
    refused: 0,
    minute: 0,
    inMinute: 0,
    takenUntilMs: 0,
    finishedAtMs: null,
    lastChangeId: entry.id,
  };
  await db.batch([db.insert(redrive).values(row), recorded(scope, entry)]);
  return toRedrive(row, nowMs);
}

/** Newest first. */
export async function listRedrives(
  scope: TenantScope,
  page: PageQuery,
  nowMs: number,
): Promise<Page<Redrive>> {
  const before = idAfter("redrive", page.cursor);
  const rows = await scope.db
    .select()
    .from(redrive)
    .where(
      and(
        eq(redrive.tenantId, scope.tenantId),
        before === undefined ? undefined : lt(redrive.id, before),
      ),
    )
    .orderBy(desc(redrive.id))
    .limit(page.limit + 1);
  return pageOf(
    rows.map((row) => toRedrive(row, nowMs)),
    page.limit,
    (row) => row.id,
  );
}

/** @throws Problem `not_found` */
export async function getRedrive(scope: TenantScope, id: string, nowMs: number): Promise<Redrive> {
  const [row] = await scope.db.select().from(redrive).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such re-drive");
  return toRedrive(row, nowMs);
}

/**
 * Nothing more is handed on; what was stays.
 *
 * @throws Problem `not_found` | `conflict` when it is over
 */
export async function cancelRedrive(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Redrive> {
  const fact = { action: "redrive.cancelled", kind: "redrive", id };
  const entry = await auditRow(scope, fact, nowMs);
  const [[row]] = await scope.db.batch([
    scope.db
      .update(redrive)
      .set({ status: "cancelled", finishedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(one(scope, id), eq(redrive.status, "running")))
      .returning(),
    recordedIfChanged(scope, entry, redrive, one(scope, id)),
  ]);
  if (row !== undefined) return toRedrive(row, nowMs);
  const { status } = await getRedrive(scope, id, nowMs); // throws not_found when that is the reason
  throw new Problem("conflict", `the re-drive is ${status}`);
}

/** B1: take up to `limit` of all tenants' that have letters left in this minute. */
export async function takeRedrives(
  platform: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly RedriveRow[]> {
  const minute = Math.floor(nowMs / MINUTE_MS);
  const due = and(
    eq(redrive.status, "running"),
    lte(redrive.takenUntilMs, nowMs),
    or(lt(redrive.minute, minute), lt(redrive.inMinute, redrive.perMinute)),
  );
  const found = await platform.db
    .select({ tenantId: redrive.tenantId, id: redrive.id })
    .from(redrive)
    .where(due)
    .orderBy(asc(redrive.takenUntilMs))
    .limit(limit);
  const taken = await Promise.all(
    found.map(({ tenantId, id }) =>
      platform.db
        .update(redrive)
        .set({ takenUntilMs: nowMs + TAKEN_MS })
        .where(and(eq(redrive.tenantId, tenantId), eq(redrive.id, id), due))
        .returning(),
    ),
  );
  return taken.flat();
}

/**
 * The next letters a re-drive is to take: at most `limit`, and no more than its minute has left.
 *
 * @returns  `later` when the minute is used up, or somebody is at one of them now, whom it does not
 *           pass over: he may die over it.
 */
export async function nextLetters(
  scope: TenantScope,
  row: RedriveRow,
  nowMs: number,
  limit: number,
): Promise<readonly string[] | "later"> {
  const left = leftInMinute(row, nowMs);
  if (left <= 0) return "later";
  const mine = fitting(scope, row);
  const [[busy], rows] = await scope.db.batch([
    scope.db
      .select({ letters: count() })
      .from(deadLetter)
      .where(and(mine, atWork(nowMs))),
    scope.db
      .select({ id: deadLetter.id })
      .from(deadLetter)
      .where(and(mine, takeable(nowMs)))
      .orderBy(asc(deadLetter.id))
      .limit(Math.min(left, limit)),
  ]);
  return (busy?.letters ?? 0) > 0 ? "later" : rows.map(({ id }) => id);
}

/** Of this minute, letters that may still be taken. */
function leftInMinute({ minute, inMinute, perMinute }: RedriveRow, nowMs: number): number {
  return perMinute - (minute === Math.floor(nowMs / MINUTE_MS) ? inMinute : 0);
}

/**
 * B2: so many letters are about to be handed on.
 *
 * @returns  undefined when it was cancelled meanwhile, or somebody else works on it.
 */
export async function countLetters(
  scope: TenantScope,
  row: RedriveRow,
  letters: number,
  nowMs: number,
): Promise<RedriveRow | undefined> {
  const minute = Math.floor(nowMs / MINUTE_MS);
  const [counted] = await scope.db
    .update(redrive)
    .set({
      minute,
      inMinute: (row.minute === minute ? row.inMinute : 0) + letters,
      takenUntilMs: nowMs + TAKEN_MS,
    })
    .where(
      and(
        one(scope, row.id),
        eq(redrive.status, "running"),
        eq(redrive.takenUntilMs, row.takenUntilMs),
      ),
    )
    .returning();
  return counted;
}

/**
 * What came of them.
 *
 * @param told  `end`: `over` when no letter is left, `later` when there are in another minute.
 */
export async function tellRedrive(
  scope: TenantScope,
  row: RedriveRow,
  told: {
    readonly redriven: number;
    readonly refused: number;
    /** The last of them. */
    readonly position?: string | undefined;
    readonly end?: "over" | "later";
  },
  nowMs: number,
): Promise<RedriveRow | undefined> {
  const sums = { redriven: row.redriven + told.redriven, refused: row.refused + told.refused };
  const over = { status: "done" as const, finishedAtMs: nowMs };
  const [now] = await scope.db
    .update(redrive)
    .set({
      ...sums,
      position: told.position ?? row.position,
      ...(told.end === undefined ? {} : { takenUntilMs: 0 }),
      ...(told.end === "over" ? over : {}),
    })
    .where(and(one(scope, row.id), told.end === "over" ? eq(redrive.status, "running") : undefined))
    .returning();
  return now;
}

/** B3: letters a re-drive is for, behind where it stands. */
function fitting(
  { tenantId }: TenantScope,
  row: Pick<
    RedriveRow,
    "agentId" | "environment" | "cause" | "letterStatus" | "position" | "createdAtMs"
  >,
): SQL | undefined {
  const { agentId, environment, cause, letterStatus, position, createdAtMs } = row;
  return and(
    eq(deadLetter.tenantId, tenantId),
    gt(deadLetter.id, position),
    lte(deadLetter.endedAtMs, createdAtMs),
    agentId === null ? undefined : eq(deadLetter.agentId, agentId),
    environment === null ? undefined : eq(deadLetter.environment, environment),
    cause === null ? undefined : eq(deadLetter.cause, cause),
    letterStatus === null ? undefined : eq(deadLetter.status, letterStatus),
  );
}

function one({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(redrive.tenantId, tenantId), eq(redrive.id, id));
}

function toRedrive(row: RedriveRow, nowMs: number): Redrive {
  const left = Math.max(0, row.total - row.redriven - row.refused);
  const minutes = Math.ceil(left / row.perMinute);
  return {
    id: row.id,
    status: row.status,
    agent_id: row.agentId,
    environment: row.environment,
    cause: row.cause,
    letter_status: row.letterStatus,
    per_minute: row.perMinute,
    version: row.version,
    fresh: row.fresh === 1,
    total: row.total,
    redriven: row.redriven,
    refused: row.refused,
    eta: row.status === "running" ? rfc3339(nowMs + minutes * MINUTE_MS) : null,
    created_at: rfc3339(row.createdAtMs),
    finished_at: row.finishedAtMs === null ? null : rfc3339(row.finishedAtMs),
  };
}
