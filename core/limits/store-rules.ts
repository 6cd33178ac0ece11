import { and, eq, inArray, or } from "drizzle-orm";
import { budget } from "../budgets/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { stop } from "../stops/table.ts";
import { EACH, type Rules } from "./contract.ts";
import { shownSubject } from "./store-aim.ts";
import { rateLimit } from "./table.ts";

type Aimed = typeof rateLimit | typeof budget | typeof stop;

/**
 * What can concern an agent: all that is about the tenant, keys or users, and of the rest what is
 * about this agent or its project. Undefined when nothing is.
 */
export async function rulesFor(
  scope: TenantScope,
  agentId: string,
  projectId: string,
): Promise<Rules | undefined> {
  const about = (table: Aimed) =>
    and(
      eq(table.tenantId, scope.tenantId),
      or(
        inArray(table.level, ["tenant", "key", "user"]),
        and(eq(table.level, "agent"), inArray(table.subject, [agentId, EACH])),
        and(eq(table.level, "project"), inArray(table.subject, [projectId, EACH])),
      ),
    );
  const { db } = scope;
  const [limits, budgets, stops] = await db.batch([
    db.select().from(rateLimit).where(about(rateLimit)),
    db.select().from(budget).where(about(budget)),
    db.select().from(stop).where(about(stop)),
  ]);
  if (limits.length + budgets.length + stops.length === 0) return undefined;
  return {
    limits: limits.map(({ id, revision, level, subject, per, most }) => {
      return { id, revision, level, subject: shownSubject(subject), per, limit: most };
    }),
    budgets: budgets.map((row) => ({
      id: row.id,
      revision: row.revision,
      level: row.level,
      subject: shownSubject(row.subject),
      period: row.period,
      amountMicros: row.amountMicros,
      warnAtPct: row.warnAtPct,
      exhausted: row.exhausted,
    })),
    stops: stops.map(({ id, level, subject, reason }) => {
      return { id, level, subject: shownSubject(subject), reason };
    }),
  };
}
