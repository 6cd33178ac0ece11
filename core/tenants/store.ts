import { type SQL, and, asc, eq, gt, inArray } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import { confirmationWhere, newConfirmation } from "../confirmations/store.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { actingAs, tenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { slugUnburied } from "../erasure/store.ts";
import { FIRST_ENVIRONMENTS } from "../environments/contract.ts";
import { environment } from "../environments/table.ts";
import { newId } from "../ids.ts";
import { forgeKey } from "../keys/store.ts";
import { key } from "../keys/table.ts";
import { member } from "../members/table.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { type Actor, TENANT_SCOPES } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { firstProject } from "../projects/store.ts";
import { project } from "../projects/table.ts";
import { user } from "../users/table.ts";
import { tierOf } from "../tiers/contract.ts";
import {
  DEFAULT_FLAGS,
  type Flags,
  LEAST_ROLE,
  type OwnTenantPatch,
  type ProvisionTenant,
  type ProvisionedTenant,
  type Tenant,
  type TenantPatch,
} from "./contract.ts";
import { tenant } from "./table.ts";

/**
 * Make a tenant with its first admin, first key and three environments, all or none.
 *
 * One batch. The slug is claimed by its unique index; all other rows are written only where the
 * tenant's own new row is found, so of two racing claims the loser writes nothing.
 *
 * The administrator is owed a mail: with a link to a first password, or, for who signed up with
 * one, to prove the mailbox.
 *
 * @param signUp  Absent: the operator provisions.
 * @throws Problem `already_exists` when the slug is taken | `invalid` for a tier there is not.
 */
export async function provisionTenant(
  platform: PlatformScope,
  input: ProvisionTenant,
  nowMs: number,
  by: Actor = THE_PLATFORM,
  signUp?: SignUp,
): Promise<ProvisionedTenant & { readonly mailId: string }> {
  const { db } = platform;
  const row = newRow(platform, input, nowMs);
  const of = { tenantId: row.id, createdAtMs: nowMs };
  const admin = { id: newId("user", nowMs), email: input.admin.email, name: input.admin.name };
  const forged = await forgeKey(
    { ...of, name: "first key", scopes: TENANT_SCOPES, createdBy: admin.id },
    nowMs,
  );
  const claimed = eq(tenant.id, row.id);
  const acting = actingAs(
    tenantScope(platform, row.id),
    signUp === undefined ? by : { ...by, kind: "user", id: admin.id },
  );
  const purpose = signUp === undefined ? "welcome" : "verification";
  const asked = { purpose, email: admin.email, userId: admin.id } as const;
  const confirmed = newConfirmation(row.id, asked, nowMs);
  const person = signUp && { passwordHash: signUp.passwordHash, signedUpAtMs: nowMs };
  const fact = { action: "tenant.provisioned", kind: "tenant", id: row.id, after: toTenant(row) };
  const entry = await auditRow(acting, { ...fact, detail: { key: forged.row.id } }, nowMs);
  const [[made]] = await db.batch([
    insertWhere(db, tenant, row, null, slugUnburied(platform, row.slug, nowMs))
      .onConflictDoNothing()
      .returning(),
    insertWhere(db, user, { ...of, ...admin, ...person, revision: 1 }, tenant, claimed),
    insertWhere(
      db,
      member,
      { ...of, id: newId("member", nowMs), userId: admin.id, role: "admin", revision: 1 },
      tenant,
      claimed,
    ),
    insertWhere(db, key, forged.row, tenant, claimed),
    ...confirmationWhere(db, confirmed, tenant, claimed),
    insertWhere(db, project, firstProject(row.id, nowMs), tenant, claimed),
    ...FIRST_ENVIRONMENTS.map((slug) =>
      insertWhere(db, environment, { ...of, slug }, tenant, claimed),
    ),
    recordedWhere({ ...acting, db }, entry, tenant, claimed),
  ]);
  if (made === undefined) {
    throw new Problem("already_exists", "the slug is taken", {
      errors: [{ pointer: "/slug", detail: "taken" }],
    });
  }
  return { tenant: toTenant(made), admin, key: forged.issued, mailId: confirmed.mail.id };
}

/** Somebody makes a tenant of their own. */
export type SignUp = { readonly passwordHash: string };

const THE_PLATFORM: Actor = { kind: "platform", id: "platform", address: null, requestId: null };

type TenantRow = typeof tenant.$inferSelect;

/** @throws Problem `invalid` */
function newRow({ tiers }: PlatformScope, input: ProvisionTenant, nowMs: number): TenantRow {
  const tier = input.tier ?? tiers[0]?.slug ?? null;
  demandTier(tiers, tier);
  return {
    id: newId("tenant", nowMs),
    slug: input.slug,
    name: input.name,
    status: "active",
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    tier,
    location: input.location ?? null,
    flags: null,
    registration: null,
    defaultRole: null,
    suspendedReason: null,
    suspendedAtMs: null,
    lastChangeId: null,
  };
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

/** The tenant's own row. @throws Problem `not_found` */
export async function getOwnTenant(scope: TenantScope): Promise<Tenant> {
  return toTenant(await ownRow(scope));
}

/**
 * Suspend; again changes the reason. The verb is about the tenant as it is, so it names no revision.
 *
 * @throws Problem `not_found` | `version_conflict` when somebody changed it meanwhile | `conflict`
 */
export async function suspendTenant(
  scope: TenantScope,
  reason: string | undefined,
  nowMs: number,
): Promise<Tenant> {
  const { revision, suspendedAtMs } = await ownRow(scope);
  const set = {
    status: "suspended",
    suspendedReason: reason ?? null,
    suspendedAtMs: suspendedAtMs ?? nowMs,
  } as const;
  return changeTenant(scope, revision, { action: "tenant.suspended", set }, nowMs);
}

/**
 * The way back: everything is as it was. Of an active tenant it changes nothing.
 *
 * @throws Problem as `suspendTenant`
 */
export async function reactivateTenant(scope: TenantScope, nowMs: number): Promise<Tenant> {
  const row = await ownRow(scope);
  if (row.status === "active") return toTenant(row);
  const set = { status: "active", suspendedReason: null, suspendedAtMs: null } as const;
  return changeTenant(scope, row.revision, { action: "tenant.reactivated", set }, nowMs);
}

/**
 * What the platform decides about a tenant.
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` | `invalid` for a tier there is not.
 */
export async function patchTenant(
  scope: TenantScope,
  revision: number,
  { name, tier, flags, location }: TenantPatch,
  nowMs: number,
): Promise<Tenant> {
  if (tier !== undefined) demandTier(scope.tiers, tier);
  const set = {
    ...(name === undefined ? {} : { name }),
    ...(tier === undefined ? {} : { tier }),
    ...(location === undefined ? {} : { location }),
    ...(flags === undefined ? {} : { flags: switched((await ownRow(scope)).flags, flags) }),
  };
  return changeTenant(scope, revision, { action: "tenant.changed", set }, nowMs);
}

/**
 * What a tenant decides about itself. Its flags decide what it may.
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict`
 */
export async function patchOwnTenant(
  scope: TenantScope,
  revision: number,
  { name, registration, default_role: defaultRole }: OwnTenantPatch,
  nowMs: number,
): Promise<Tenant> {
  const set = {
    ...(name === undefined ? {} : { name }),
    ...(registration === undefined ? {} : { registration }),
    ...(defaultRole === undefined ? {} : { defaultRole }),
  };
  return changeTenant(scope, revision, { action: "tenant.changed", set }, nowMs);
}

type Change = { readonly action: string; readonly set: Partial<TenantRow> };

/** One guarded update of a tenant that is not being erased, and its entry. */
async function changeTenant(
  scope: TenantScope,
  revision: number,
  { action, set }: Change,
  nowMs: number,
): Promise<Tenant> {
  const before = await ownRow(scope);
  const after = { ...before, ...set, revision: revision + 1, updatedAtMs: nowMs };
  const fact = { action, kind: "tenant", id: before.id };
  const digests = { before: toTenant(before), after: toTenant(after) };
  const entry = await auditRow(scope, { ...fact, ...digests }, nowMs);
  const changing = and(
    mine(scope),
    eq(tenant.revision, revision),
    inArray(tenant.status, ["active", "suspended"]),
  );
  const [[row]] = await scope.db.batch([
    scope.db
      .update(tenant)
      .set({ ...set, revision: revision + 1, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(changing)
      .returning(),
    recordedIfChanged(scope, entry, tenant, mine(scope)),
  ]);
  if (row !== undefined) return toTenant(row);
  const found = await ownRow(scope); // throws not_found when that is the reason
  if (found.status === "erasing") throw new Problem("conflict", "the tenant is being erased");
  throw new Problem("version_conflict", `the tenant is no longer at revision ${revision}`);
}

async function ownRow(scope: TenantScope): Promise<TenantRow> {
  const [row] = await scope.db.select().from(tenant).where(mine(scope));
  if (row === undefined) throw new Problem("not_found", "no such tenant");
  return row;
}

function mine({ tenantId }: TenantScope): SQL {
  return eq(tenant.id, tenantId);
}

/** @throws Problem `invalid` */
function demandTier(tiers: PlatformScope["tiers"], slug: string | null): void {
  if (slug !== null && tierOf(tiers, slug) !== undefined) return;
  throw new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer: "/tier", detail: `one of ${tiers.map((tier) => tier.slug).join(", ")}` }],
  });
}

/** Only what differs from the defaults is kept, so that a default may change. */
function switched(
  kept: Partial<Flags> | null,
  wanted: Exclude<TenantPatch["flags"], undefined>,
): Partial<Flags> | null {
  const all = Object.entries({ ...kept, ...wanted }).filter(([, value]) => value !== null);
  return all.length === 0 ? null : Object.fromEntries(all);
}

function toTenant(row: TenantRow): Tenant {
  const { id, slug, name, status, tier, revision } = row;
  return {
    id,
    slug,
    name,
    status,
    tier,
    location: row.location,
    flags: { ...DEFAULT_FLAGS, ...row.flags },
    registration: row.registration ?? "closed",
    default_role: row.defaultRole ?? LEAST_ROLE,
    suspended_at: row.suspendedAtMs === null ? null : rfc3339(row.suspendedAtMs),
    suspended_reason: row.suspendedReason,
    revision,
    created_at: rfc3339(row.createdAtMs),
  };
}
