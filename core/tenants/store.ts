import { and, asc, eq, gt } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { FIRST_ENVIRONMENTS } from "../environments/contract.ts";
import { environment } from "../environments/table.ts";
import { newId } from "../ids.ts";
import { forgeKey } from "../keys/store.ts";
import { key } from "../keys/table.ts";
import { member } from "../members/table.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { TENANT_SCOPES } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { user } from "../users/table.ts";
import type { ProvisionTenant, ProvisionedTenant, Tenant, TenantStatus } from "./contract.ts";
import { tenant } from "./table.ts";

/**
 * Make a tenant with its first admin, first key and three environments, all or none.
 *
 * One batch. The slug is claimed by its unique index; all other rows are written only where the
 * tenant's own new row is found, so of two racing claims the loser writes nothing.
 *
 * @throws Problem `already_exists` when the slug is taken.
 */
export async function provisionTenant(
  platform: PlatformScope,
  input: ProvisionTenant,
  nowMs: number,
): Promise<ProvisionedTenant> {
  const { db } = platform;
  const row = {
    id: newId("tenant", nowMs),
    slug: input.slug,
    name: input.name,
    status: "active",
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  } as const;
  const of = { tenantId: row.id, createdAtMs: nowMs };
  const admin = { id: newId("user", nowMs), email: input.admin.email, name: input.admin.name };
  const forged = await forgeKey(
    { ...of, name: "first key", scopes: TENANT_SCOPES, createdBy: admin.id },
    nowMs,
  );
  const claimed = eq(tenant.id, row.id);
  const [[made]] = await db.batch([
    db.insert(tenant).values(row).onConflictDoNothing().returning(),
    insertWhere(db, user, { ...of, ...admin }, tenant, claimed),
    insertWhere(
      db,
      member,
      { ...of, id: newId("member", nowMs), userId: admin.id, role: "admin" },
      tenant,
      claimed,
    ),
    insertWhere(db, key, forged.row, tenant, claimed),
    ...FIRST_ENVIRONMENTS.map((slug) =>
      insertWhere(db, environment, { ...of, slug }, tenant, claimed),
    ),
  ]);
  if (made === undefined) {
    throw new Problem("already_exists", "the slug is taken", {
      errors: [{ pointer: "/slug", detail: "taken" }],
    });
  }
  return { tenant: toTenant(made), admin, key: forged.issued };
}

/** The tenant a hostname's label names, whatever its status; undefined when there is none. */
export async function findTenantBySlug(
  platform: PlatformScope,
  slug: string,
): Promise<Tenant | undefined> {
  const [row] = await platform.db.select().from(tenant).where(eq(tenant.slug, slug));
  return row && toTenant(row);
}

/** @throws Problem `not_found` */
export async function getTenant(platform: PlatformScope, id: string): Promise<Tenant> {
  const [row] = await platform.db.select().from(tenant).where(eq(tenant.id, id));
  if (row === undefined) throw new Problem("not_found", "no such tenant");
  return toTenant(row);
}

/** All tenants in the order they were made. */
export async function listTenants(platform: PlatformScope, page: PageQuery): Promise<Page<Tenant>> {
  const after = idAfter("tenant", page.cursor);
  const rows = await platform.db
    .select()
    .from(tenant)
    .where(after === undefined ? undefined : gt(tenant.id, after))
    .orderBy(asc(tenant.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toTenant), page.limit, (row) => row.id);
}

/**
 * Suspend or reactivate, if the tenant is still at `revision`.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function setTenantStatus(
  platform: PlatformScope,
  id: string,
  revision: number,
  status: TenantStatus,
  nowMs: number,
): Promise<Tenant> {
  const [row] = await platform.db
    .update(tenant)
    .set({ status, revision: revision + 1, updatedAtMs: nowMs })
    .where(and(eq(tenant.id, id), eq(tenant.revision, revision)))
    .returning();
  if (row !== undefined) return toTenant(row);
  await getTenant(platform, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the tenant is no longer at revision ${revision}`);
}

function toTenant(row: typeof tenant.$inferSelect): Tenant {
  const { id, slug, name, status, revision } = row;
  return { id, slug, name, status, revision, created_at: rfc3339(row.createdAtMs) };
}
