import { and, asc, countDistinct, eq, gte, sql } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { usageRecord } from "./table.ts";

/** What one principal's invocations used on a UTC day. */
export type PrincipalUsage = {
  readonly day: string;
  readonly invocations: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
};

/**
 * Day by day since `sinceDay`, days without any left out. From the ledger, so it may lag; an
 * invocation whose calls fall on two days counts on both.
 */
export async function usageOfPrincipal(
  scope: TenantScope,
  principal: string,
  sinceDay: string,
): Promise<readonly PrincipalUsage[]> {
  return scope.db
    .select({
      day: usageRecord.day,
      invocations: countDistinct(usageRecord.invocationId),
      inputTokens: sql`sum(${usageRecord.inputTokens})`.mapWith(Number),
      outputTokens: sql`sum(${usageRecord.outputTokens})`.mapWith(Number),
      costMicros: sql`sum(${usageRecord.costMicros})`.mapWith(Number),
    })
    .from(usageRecord)
    .where(
      and(
        eq(usageRecord.tenantId, scope.tenantId),
        gte(usageRecord.day, sinceDay),
        eq(usageRecord.principal, principal),
      ),
    )
    .groupBy(usageRecord.day)
    .orderBy(asc(usageRecord.day));
}
