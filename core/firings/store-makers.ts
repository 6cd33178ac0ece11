import { and, eq } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { schedule } from "../schedules/table.ts";
import { trigger } from "../triggers/table.ts";

/** Who made the schedule or the trigger; nobody when it is gone. */
export async function makersOf(
  { db, tenantId }: TenantScope,
  sourceId: string,
): Promise<readonly string[]> {
  const [schedules, triggers] = await db.batch([
    db
      .select({ by: schedule.createdBy })
      .from(schedule)
      .where(and(eq(schedule.tenantId, tenantId), eq(schedule.id, sourceId))),
    db
      .select({ by: trigger.createdBy })
      .from(trigger)
      .where(and(eq(trigger.tenantId, tenantId), eq(trigger.id, sourceId))),
  ]);
  return [...schedules, ...triggers].map(({ by }) => by);
}
