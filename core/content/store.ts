import { type SQL, and, eq, exists, ne } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import {
  type ContentPatch,
  type ContentPolicy,
  KEPT_FOR_EVER,
  type ReleaseContent,
  SEALED_FOR,
  type SealContentKey,
} from "./contract.ts";
import { contentPolicy } from "./table.ts";

const DAY_MS = 86_400_000;
const KEY_BYTES = 32;

type Row = typeof contentPolicy.$inferSelect;

/** What holds for the tenant, said or not. */
export async function getContentPolicy(scope: TenantScope): Promise<ContentPolicy> {
  return toPolicy(await find(scope));
}

/**
 * Change the policy if it is still at `revision`. What is live gets a new generation in the same
 * batch: objects follow at their next request, idle ones when cron knocks.
 *
 * @param seal  Seals the tenant's content key, which is made when sealing is first switched on.
 * @throws Problem `version_conflict` | `conflict` for a tenant that is being erased
 */
export async function patchContentPolicy(
  scope: TenantScope,
  revision: number,
  patch: ContentPatch,
  seal: SealContentKey,
  nowMs: number,
): Promise<ContentPolicy> {
  const { db, tenantId } = scope;
  const row = await find(scope);
  const before = toPolicy(row);
  if (before.revision !== revision) throw stale(revision);
  const retention = merged(before.retention, patch.retention ?? {});
  const sealing = patch.sealing ?? before.sealing;
  const made = sealing && !row?.sealedKey;
  const values = {
    requestsDays: retention.requests_days,
    eventsDays: retention.events_days,
    journalsDays: retention.journals_days,
    usageDays: retention.usage_days,
    sealing,
    sealedKey: made ? await seal(SEALED_FOR.id, newContentKey()) : (row?.sealedKey ?? null),
    sweptAtMs: 0,
    revision: revision + 1,
    updatedAtMs: nowMs,
  };
  const after = toPolicy({ ...values, tenantId, id: SEALED_FOR.id, lastChangeId: "" });
  const fact = { action: "tenant.content_changed", kind: "tenant", id: tenantId, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const change = { ...values, lastChangeId: entry.id };
  const living = and(eq(tenant.id, tenantId), ne(tenant.status, "erasing"));
  const changed = and(mine(scope), eq(contentPolicy.lastChangeId, entry.id));
  const found = db.select({ id: contentPolicy.id }).from(contentPolicy).where(changed);
  await db.batch([
    row === undefined
      ? insertWhere(
          db,
          contentPolicy,
          { tenantId, id: SEALED_FOR.id, ...change },
          tenant,
          living,
        ).onConflictDoNothing()
      : db
          .update(contentPolicy)
          .set(change)
          .where(and(mine(scope), eq(contentPolicy.revision, revision))),
    bumpGenerations(scope, exists(found), nowMs),
    recordedIfChanged(scope, entry, contentPolicy, mine(scope)),
  ]);
  const stored = await find(scope);
  if (stored?.lastChangeId === entry.id) return toPolicy(stored);
  if (stored === undefined) throw new Problem("conflict", "the tenant is being erased");
  throw stale(revision);
}

/** What a release carries of it; undefined for a tenant that has said nothing. */
export async function releaseContent(scope: TenantScope): Promise<ReleaseContent | undefined> {
  const row = await find(scope);
  if (row === undefined) return undefined;
  const { requestsDays, eventsDays, journalsDays } = row;
  const retention = {
    requestsMs: msOf(requestsDays),
    eventsMs: msOf(eventsDays),
    journalsMs: msOf(journalsDays),
  };
  return { retention, seals: row.sealing, key: row.sealedKey };
}

async function find(scope: TenantScope): Promise<Row | undefined> {
  const [row] = await scope.db.select().from(contentPolicy).where(mine(scope));
  return row;
}

function mine({ tenantId }: TenantScope): SQL | undefined {
  return and(eq(contentPolicy.tenantId, tenantId), eq(contentPolicy.id, SEALED_FOR.id));
}

/** What is named changes, also to null; what is not stays. */
function merged(
  kept: ContentPolicy["retention"],
  { requests_days, events_days, journals_days, usage_days }: ContentPatch["retention"] & object,
): ContentPolicy["retention"] {
  return {
    requests_days: requests_days === undefined ? kept.requests_days : requests_days,
    events_days: events_days === undefined ? kept.events_days : events_days,
    journals_days: journals_days === undefined ? kept.journals_days : journals_days,
    usage_days: usage_days === undefined ? kept.usage_days : usage_days,
  };
}

function msOf(days: number | null): number | null {
  return days === null ? null : days * DAY_MS;
}

/** 256 random bits in hexadecimal. */
function newContentKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function stale(revision: number): Problem {
  return new Problem("version_conflict", `the policy is no longer at revision ${revision}`);
}

function toPolicy(row: Row | undefined): ContentPolicy {
  if (row === undefined) {
    return { retention: KEPT_FOR_EVER, sealing: false, revision: 1, updated_at: null };
  }
  const { requestsDays, eventsDays, journalsDays, usageDays, sealing, revision, updatedAtMs } = row;
  return {
    retention: {
      requests_days: requestsDays,
      events_days: eventsDays,
      journals_days: journalsDays,
      usage_days: usageDays,
    },
    sealing,
    revision,
    updated_at: rfc3339(updatedAtMs),
  };
}
