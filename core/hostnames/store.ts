import { type SQL, and, asc, eq, gt, lte, ne, notExists } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import { notCreated, withinQuota } from "../tiers/store.ts";
import { challengeName, type Hostname } from "./contract.ts";
import { hostname } from "./table.ts";

export type HostnameRow = typeof hostname.$inferSelect;

/**
 * Ask for a name. It holds nothing yet, so it is nobody's business who else asked for it.
 *
 * @throws Problem `already_exists` in this tenant | `quota_exceeded`
 */
export async function createHostname(
  scope: TenantScope,
  name: string,
  token: string,
  nowMs: number,
): Promise<HostnameRow> {
  const { db, tenantId } = scope;
  const id = newId("hostname", nowMs);
  const row = {
    tenantId,
    id,
    name,
    token,
    status: "pending",
    failures: 0,
    dueMs: nowMs,
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  } as const;
  const fact = { action: "hostname.created", kind: "hostname", id, after: { name } };
  const entry = await auditRow(scope, { ...fact, detail: { name } }, nowMs);
  const quota = withinQuota(scope, "hostnames");
  const [, [made]] = await db.batch([
    quota.hold,
    quota.insert(hostname, row).onConflictDoNothing().returning(),
    recordedWhere(scope, entry, hostname, one(scope, id)),
  ]);
  if (made !== undefined) return made;
  const taken = new Problem("already_exists", "the tenant has this hostname", {
    errors: [{ pointer: "/name", detail: "taken" }],
  });
  const named = and(mine(scope), eq(hostname.name, name));
  throw await notCreated(scope, "hostnames", hostname, named, taken);
}

/** Hostnames in the order they were asked for. */
export async function listHostnames(scope: TenantScope, page: PageQuery) {
  const after = idAfter("hostname", page.cursor);
  const rows = await scope.db
    .select()
    .from(hostname)
    .where(and(mine(scope), after === undefined ? undefined : gt(hostname.id, after)))
    .orderBy(asc(hostname.id))
    .limit(page.limit + 1);
  return pageOf(rows, page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getHostname(scope: TenantScope, id: string): Promise<HostnameRow> {
  const [row] = await scope.db.select().from(hostname).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such hostname");
  return row;
}

/**
 * Let go of a name, if it is still at `revision`.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function deleteHostname(
  scope: TenantScope,
  { id, revision, name }: Pick<HostnameRow, "id" | "revision" | "name">,
  nowMs: number,
): Promise<void> {
  const current = and(one(scope, id), eq(hostname.revision, revision));
  const fact = { action: "hostname.deleted", kind: "hostname", id, before: { name } };
  const entry = await auditRow(scope, { ...fact, detail: { name } }, nowMs);
  const [, [row]] = await scope.db.batch([
    recordedWhere(scope, entry, hostname, current),
    scope.db.delete(hostname).where(current).returning({ id: hostname.id }),
  ]);
  if (row !== undefined) return;
  await getHostname(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the hostname is no longer at revision ${revision}`);
}

/** What changes of a hostname after a look at it. */
export type HostnameChange = Partial<
  Pick<
    HostnameRow,
    "status" | "problem" | "failures" | "dueMs" | "edgeId" | "claimedName" | "checkedAtMs"
  >
>;

/**
 * Write down what a look found, if nobody was faster; undefined when somebody was.
 *
 * @param told  Say so in the audit even when the status stayed: somebody asked.
 */
export async function changeHostname(
  scope: TenantScope,
  row: HostnameRow,
  change: HostnameChange,
  told: boolean,
  nowMs: number,
): Promise<HostnameRow | undefined> {
  const { name, status, revision } = row;
  const next = change.status ?? status;
  const moved = next !== status;
  const fact = { action: `hostname.${moved ? next : "checked"}`, kind: "hostname", id: row.id };
  const facts = { before: { name, status }, after: { name, status: next } };
  const entry = await auditRow(scope, { ...fact, ...facts, detail: { name } }, nowMs);
  const set = { ...change, updatedAtMs: nowMs, revision: revision + 1, lastChangeId: entry.id };
  const update = scope.db
    .update(hostname)
    .set(set)
    .where(and(one(scope, row.id), eq(hostname.revision, revision)))
    .returning();
  const record = recordedIfChanged(scope, entry, hostname, one(scope, row.id));
  const [[changed]] = await scope.db.batch(moved || told ? [update, record] : [update]);
  return changed;
}

/** Whoever holds the name in the whole installation. */
export async function findHolder(
  { db }: PlatformScope,
  name: string,
): Promise<HostnameRow | undefined> {
  const [row] = await db.select().from(hostname).where(eq(hostname.claimedName, name));
  return row;
}

/**
 * The name becomes this hostname's, proven; whoever held it lets go in the same batch.
 *
 * The unique index over all tenants decides between two at once, and the platform's scope is
 * needed because the other one's row is another tenant's.
 *
 * @param from  The holder that was found to have lost the name; undefined when there was none.
 * @returns     Undefined when somebody was faster.
 */
export async function claimName(
  platform: PlatformScope,
  scope: TenantScope,
  row: HostnameRow,
  from: HostnameRow | undefined,
  nowMs: number,
): Promise<HostnameRow | undefined> {
  const { db } = platform;
  const acting = { ...scope, db };
  const { name } = row;
  const fact = { action: "hostname.verifying", kind: "hostname", id: row.id, after: { name } };
  const entry = await auditRow(scope, { ...fact, detail: { name } }, nowMs);
  const other = alias(hostname, "other");
  const held = db
    .select({ id: other.id })
    .from(other)
    .where(and(eq(other.claimedName, name), ne(other.id, row.id)));
  const [, , claimed] = await db
    .batch([
      ...(await letGo(platform, from, nowMs)),
      db
        .update(hostname)
        .set({
          status: "verifying",
          claimedName: name,
          problem: null,
          failures: 0,
          verifiedAtMs: nowMs,
          checkedAtMs: nowMs,
          dueMs: nowMs,
          revision: row.revision + 1,
          updatedAtMs: nowMs,
          lastChangeId: entry.id,
        })
        .where(and(one(scope, row.id), eq(hostname.revision, row.revision), notExists(held)))
        .returning(),
      recordedIfChanged(acting, entry, hostname, one(scope, row.id)),
    ])
    .catch(async (error: unknown) => {
      // On Postgres a racing claim may show only at the index. D1 runs one batch at a time.
      if ((await findHolder(platform, name)) === undefined) throw error;
      return [[], [], []] as const;
    });
  return claimed[0];
}

/** Two statements: the holder's row fails, and its audit says so. Without one they find nothing. */
async function letGo(platform: PlatformScope, from: HostnameRow | undefined, nowMs: number) {
  const { db } = platform;
  const theirs = tenantScope(platform, from?.tenantId ?? newId("tenant", 0));
  const fact = { action: "hostname.failed", kind: "hostname", id: from?.id ?? "" };
  const entry = await auditRow(theirs, { ...fact, detail: { name: from?.name ?? "" } }, nowMs);
  const current = and(
    one(theirs, from?.id ?? ""),
    eq(hostname.revision, from?.revision ?? 0),
    eq(hostname.claimedName, from?.name ?? ""),
  );
  return [
    db
      .update(hostname)
      .set({
        status: "failed",
        claimedName: null,
        edgeId: null,
        problem: "somebody else has proven that the name is theirs",
        dueMs: null,
        revision: (from?.revision ?? 0) + 1,
        updatedAtMs: nowMs,
        lastChangeId: entry.id,
      })
      .where(current),
    recordedIfChanged({ ...theirs, db }, entry, hostname, one(theirs, from?.id ?? "")),
  ] as const;
}

/** The slug of the tenant a name leads to; undefined unless it is active. */
export async function findTenantByHostname(
  { db }: PlatformScope,
  name: string,
): Promise<{ readonly slug: string } | undefined> {
  const [row] = await db
    .select({ slug: tenant.slug })
    .from(hostname)
    .innerJoin(tenant, eq(tenant.id, hostname.tenantId))
    .where(and(eq(hostname.claimedName, name), eq(hostname.status, "active")));
  return row;
}

/** Hostnames whose time to be looked at has come, longest waiting first. */
export async function dueHostnames(
  { db }: PlatformScope,
  nowMs: number,
  limit: number,
): Promise<readonly HostnameRow[]> {
  return db
    .select()
    .from(hostname)
    .where(lte(hostname.dueMs, nowMs))
    .orderBy(asc(hostname.dueMs))
    .limit(limit);
}

/** @param target  Where the name's CNAME is to lead: the tenant's own host. */
export function toHostname(row: HostnameRow, target: string): Hostname {
  const at = (epochMs: number | null) => (epochMs === null ? null : rfc3339(epochMs));
  const { id, name, status, problem, revision } = row;
  return {
    id,
    name,
    status,
    problem,
    records: [
      { type: "TXT", name: challengeName(name), value: row.token, purpose: "ownership" },
      { type: "CNAME", name, value: target, purpose: "routing" },
    ],
    checked_at: at(row.checkedAtMs),
    next_check_at: at(row.dueMs),
    verified_at: at(row.verifiedAtMs),
    revision,
    created_at: rfc3339(row.createdAtMs),
  };
}

function mine({ tenantId }: TenantScope): SQL {
  return eq(hostname.tenantId, tenantId);
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(mine(scope), eq(hostname.id, id));
}
