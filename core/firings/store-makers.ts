import { and, eq, inArray } from "drizzle-orm";
import { audit } from "../audit/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { key } from "../keys/table.ts";
import { schedule } from "../schedules/table.ts";
import { trigger } from "../triggers/table.ts";

/** What makes a run of a schedule or a trigger somebody's. */
const MAKING = [
  "schedule.created",
  "schedule.changed",
  "schedule.run_requested",
  "trigger.created",
  "trigger.changed",
];

/**
 * Who had a hand in what the schedule or the trigger starts: who made it, changed it or ran it by
 * hand, and whoever a key that did so stands for. Also when it is deleted since.
 */
export async function makersOf(
  { db, tenantId }: TenantScope,
  sourceId: string,
): Promise<readonly string[]> {
  const [schedules, triggers, hands] = await db.batch([
    db
      .select({ by: schedule.createdBy })
      .from(schedule)
      .where(and(eq(schedule.tenantId, tenantId), eq(schedule.id, sourceId))),
    db
      .select({ by: trigger.createdBy })
      .from(trigger)
      .where(and(eq(trigger.tenantId, tenantId), eq(trigger.id, sourceId))),
    db
      .selectDistinct({ by: audit.actorId, owner: key.ownerId })
      .from(audit)
      .leftJoin(key, and(eq(key.tenantId, audit.tenantId), eq(key.id, audit.actorId)))
      .where(
        and(
          eq(audit.tenantId, tenantId),
          inArray(audit.resourceKind, ["schedule", "trigger"]),
          eq(audit.resourceId, sourceId),
          inArray(audit.action, MAKING),
        ),
      ),
  ]);
  const ids = [...schedules, ...triggers].map(({ by }) => by);
  for (const { by, owner } of hands) ids.push(by, ...(owner === null ? [] : [owner]));
  return [...new Set(ids)];
}
