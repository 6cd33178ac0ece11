/** What of the control plane's own records has had its time, for cron: some of it, tenant by tenant. */
import { and, asc, eq, inArray, isNotNull, lt, lte, or } from "drizzle-orm";
import { sweepBatches } from "../batches/store-retention.ts";
import type { PlatformScope } from "../db/scope.ts";
import { firstIdAt } from "../ids.ts";
import { invocation } from "../invocations/table.ts";
import { usageRecord } from "../usage/table.ts";
import { STUB_MS } from "./contract.ts";
import { contentPolicy } from "./table.ts";

const DAY_MS = 86_400_000;
/** Between two looks at the same tenant. */
const LOOK_MS = 3_600_000;
/** Rows of one table and one tenant at once. */
const PIECE = 1000;

/**
 * Delete what is left of ended batches, lines of the listing a week after what they tell of has gone,
 * and records of use when the tenant wants. A tenant of whom more is left has its turn again at the next call.
 *
 * @param tenants  How many are looked at, at most.
 */
export async function sweepContent(
  platform: PlatformScope,
  nowMs: number,
  tenants: number,
): Promise<void> {
  const { tenantId, requestsDays, usageDays, sweptAtMs } = contentPolicy;
  const due = await platform.db
    .select({ tenantId, requestsDays, usageDays })
    .from(contentPolicy)
    .where(and(lte(sweptAtMs, nowMs - LOOK_MS), or(isNotNull(requestsDays), isNotNull(usageDays))))
    .orderBy(asc(sweptAtMs), asc(tenantId))
    .limit(tenants);
  for (const policy of due) {
    const listed = await sweepListing(platform, policy, nowMs);
    const used = await sweepUsage(platform, policy, nowMs);
    const asked = await sweepAsked(platform, policy, nowMs);
    if (listed || used || asked) continue;
    await platform.db
      .update(contentPolicy)
      .set({ sweptAtMs: nowMs })
      .where(eq(tenantId, policy.tenantId));
  }
}

type Policy = Pick<typeof contentPolicy.$inferSelect, "tenantId" | "requestsDays" | "usageDays">;

/** @returns  whether there may be more of it */
async function sweepListing(
  { db }: PlatformScope,
  { tenantId, requestsDays }: Policy,
  nowMs: number,
): Promise<boolean> {
  if (requestsDays === null) return false;
  const { id, completedAtMs, tenantId: of } = invocation;
  const beforeMs = nowMs - requestsDays * DAY_MS - STUB_MS;
  const old = db
    .select({ id })
    .from(invocation)
    .where(and(eq(of, tenantId), madeBefore(id, beforeMs), lt(completedAtMs, beforeMs)))
    .orderBy(asc(id))
    .limit(PIECE);
  const gone = await db
    .delete(invocation)
    .where(and(eq(of, tenantId), inArray(id, old)))
    .returning({ id });
  return gone.length === PIECE;
}

/** @returns  whether there may be more of it */
async function sweepAsked(
  platform: PlatformScope,
  { tenantId, requestsDays }: Policy,
  nowMs: number,
): Promise<boolean> {
  if (requestsDays === null) return false;
  return sweepBatches(platform, tenantId, nowMs - requestsDays * DAY_MS);
}

/** @returns  whether there may be more of it */
async function sweepUsage(
  { db }: PlatformScope,
  { tenantId, usageDays }: Policy,
  nowMs: number,
): Promise<boolean> {
  if (usageDays === null) return false;
  const { id, atMs, tenantId: of } = usageRecord;
  const beforeMs = nowMs - usageDays * DAY_MS;
  const old = db
    .select({ id })
    .from(usageRecord)
    .where(and(eq(of, tenantId), madeBefore(id, beforeMs), lt(atMs, beforeMs)))
    .orderBy(asc(id))
    .limit(PIECE);
  const gone = await db
    .delete(usageRecord)
    .where(and(eq(of, tenantId), inArray(id, old)))
    .returning({ id });
  return gone.length === PIECE;
}

/** Ids of invocations are in the order of time: what is young is not looked at one by one. */
function madeBefore(id: typeof invocation.id | typeof usageRecord.id, beforeMs: number) {
  return lt(id, firstIdAt("invocation", beforeMs));
}
