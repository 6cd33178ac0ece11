/**
 * Quotas, held in the statement that creates.
 *
 * Q1  A creation counts and inserts in one statement, and its batch first holds the tenant's row:
 *     of racing creations each counts what the others made. On D1 statements run one by one
 *     anyway; on Postgres the held row makes the second wait, and READ COMMITTED lets it then see.
 * Q2  The quota is read from the tenant's row in that same statement: a changed tier counts at once.
 * Q3  A tenant from before there were tiers has none, and no quota. A tier that the installation no
 *     longer has is bounded like the first one.
 */
import { type SQL, and, count, eq, isNull, sql } from "drizzle-orm";
import type { SQLiteColumn, SQLiteInsertValue, SQLiteTable } from "drizzle-orm/sqlite-core";
import { agent } from "../agents/table.ts";
import { appClient } from "../clients/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { hostname } from "../hostnames/table.ts";
import { invitation } from "../invitations/table.ts";
import { key } from "../keys/table.ts";
import { member } from "../members/table.ts";
import { Problem } from "../problem.ts";
import { project } from "../projects/table.ts";
import { provider } from "../providers/table.ts";
import { secret } from "../secrets/table.ts";
import { tenant } from "../tenants/table.ts";
import { QUOTA_NOUNS, type QuotaNoun, type TenantQuotas, type Tiers, tierOf } from "./contract.ts";

/** Larger than any count. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/**
 * What the creation of one more `noun` puts into its batch: `hold` first, then the row by `insert`,
 * or by an `INSERT … SELECT` of its own with `room` among its conditions. When nothing was inserted
 * and nothing else explains it, throw `quotaExceeded(scope, noun)`.
 */
export function withinQuota(scope: TenantScope, noun: QuotaNoun) {
  const { db, tenantId } = scope;
  const mine = eq(tenant.id, tenantId);
  const allowed = db
    .select({ n: capOf(scope.tiers, noun) })
    .from(tenant)
    .where(mine);
  const room = sql`(${COUNTED[noun](scope)}) < (${allowed})`;
  return {
    hold: db
      .update(tenant)
      .set({ revision: sql`${tenant.revision}` })
      .where(mine),
    room,
    insert: <T extends SQLiteTable>(table: T, row: SQLiteInsertValue<T>) =>
      insertWhere(db, table, row, tenant, and(mine, room)),
  };
}

/** The refusal of a creation that found no room. */
export async function quotaExceeded(scope: TenantScope, noun: QuotaNoun): Promise<Problem> {
  const { tier, quotas } = await tenantQuotas(scope);
  const allowed = quotas.find((quota) => quota.noun === noun)?.allowed ?? 0;
  return new Problem("quota_exceeded", `the tier ${tier} allows ${allowed} ${noun}`);
}

/** Why nothing was inserted: `taken` where rows that `named` finds have the name, else the quota. */
export async function notCreated(
  scope: TenantScope,
  noun: QuotaNoun,
  table: SQLiteTable,
  named: SQL | undefined,
  taken: Problem,
): Promise<Problem> {
  const [holder] = await scope.db
    .select({ one: sql`1` })
    .from(table)
    .where(named)
    .limit(1);
  return holder === undefined ? quotaExceeded(scope, noun) : taken;
}

/** How much of each noun there is, and how much there may be. */
export async function tenantQuotas(scope: TenantScope): Promise<TenantQuotas> {
  const { db, tenantId, tiers } = scope;
  const counts = Object.fromEntries(
    QUOTA_NOUNS.map((noun) => [noun, sql<number>`(${COUNTED[noun](scope)})`.mapWith(Number)]),
  );
  const [row] = await db
    .select({ ...counts, tier: tenant.tier })
    .from(tenant)
    .where(eq(tenant.id, tenantId));
  if (row === undefined) throw new Problem("not_found", "no such tenant");
  const used: Readonly<Record<string, unknown>> = row;
  const tier = row.tier === null ? undefined : (tierOf(tiers, row.tier) ?? tiers[0]);
  return {
    tier: row.tier,
    quotas: QUOTA_NOUNS.map((noun) => ({
      noun,
      used: Number(used[noun]),
      allowed: tier?.quotas[noun] ?? null,
    })),
  };
}

/** How many there are of each noun: what was deleted or revoked makes room. */
const COUNTED: Readonly<Record<QuotaNoun, (scope: TenantScope) => SQL>> = {
  agents: (scope) => counted(scope, agent, isNull(agent.deletedAtMs)),
  clients: (scope) => counted(scope, appClient),
  hostnames: (scope) => counted(scope, hostname),
  keys: (scope) => counted(scope, key, isNull(key.revokedAtMs)),
  // Whoever is asked to join has a place: it must be there when they come.
  members: (scope) =>
    sql`${counted(scope, member)} + ${counted(scope, invitation, eq(invitation.status, "open"))}`,
  projects: (scope) => counted(scope, project),
  providers: (scope) => counted(scope, provider),
  secrets: (scope) => counted(scope, secret),
};

function counted<T extends SQLiteTable & { tenantId: SQLiteColumn }>(
  { db, tenantId }: TenantScope,
  table: T,
  where?: SQL,
): SQL {
  const rows = db
    .select({ n: count() })
    .from(table as SQLiteTable)
    .where(and(eq(table.tenantId, tenantId), where));
  return sql`(${rows})`;
}

/** The quota by the tenant's tier. Numbers are the installation's own and stand in the text. */
function capOf(tiers: Tiers, noun: QuotaNoun): SQL {
  const cap = (at: number) => sql.raw(String(tiers[at]?.quotas[noun] ?? UNBOUNDED));
  const cases = tiers.map(({ slug }, at) => sql`when ${tenant.tier} = ${slug} then ${cap(at)}`);
  return sql`case when ${tenant.tier} is null then ${sql.raw(String(UNBOUNDED))} ${sql.join(cases, sql` `)} else ${cap(0)} end`;
}
