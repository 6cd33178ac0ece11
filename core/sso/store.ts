import { type SQL, and, asc, eq, exists, gt, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import {
  CONNECTIONS_MAX,
  type CreateSso,
  type SealClientSecret,
  type SignInChoices,
  type SsoConnection,
  type SsoPatch,
} from "./contract.ts";
import { ssoConnection, ssoIdentity, ssoSignIn } from "./table.ts";

/** A connection with its secret, still sealed. */
export type ConnectionRow = typeof ssoConnection.$inferSelect;

/** @throws Problem `already_exists` | `conflict` when the tenant has as many as it may */
export async function createConnection(
  scope: TenantScope,
  input: CreateSso,
  seal: SealClientSecret,
  nowMs: number,
): Promise<SsoConnection> {
  const { db, tenantId } = scope;
  const id = newId("sso", nowMs);
  const { client_secret: secret } = input;
  const values = {
    tenantId,
    id,
    slug: input.slug,
    name: input.name,
    issuer: input.issuer,
    clientId: input.client_id,
    sealedSecret: secret === undefined ? null : await seal(id, secret),
    authMethod: input.auth_method,
    scopes: input.scopes,
    createMembers: input.create_members,
    emailDomains: input.email_domains,
    mappings: input.mappings,
    defaultRole: input.default_role,
    enabled: input.enabled,
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const fact = { action: "sso.created", kind: "sso", id, after: toConnection(values) };
  const entry = await auditRow(scope, fact, nowMs);
  const room = sql`(select count(*) from ${ssoConnection} where ${ssoConnection.tenantId} = ${tenantId}) < ${CONNECTIONS_MAX}`;
  const [[made]] = await db.batch([
    insertWhere(
      db,
      ssoConnection,
      { ...values, lastChangeId: entry.id },
      tenant,
      and(eq(tenant.id, tenantId), room),
    )
      .onConflictDoNothing()
      .returning(),
    recordedWhere(scope, entry, ssoConnection, oneConnection(scope, id)),
  ]);
  if (made !== undefined) return toConnection(made);
  if ((await findConnection(scope, input.slug)) === undefined) {
    throw new Problem("conflict", `a tenant has at most ${CONNECTIONS_MAX} connections`);
  }
  throw new Problem("already_exists", "the slug is taken", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
}

/** Connections in the order they were made. */
export async function listConnections(
  scope: TenantScope,
  page: PageQuery,
): Promise<Page<SsoConnection>> {
  const after = idAfter("sso", page.cursor);
  const rows = await scope.db
    .select()
    .from(ssoConnection)
    .where(
      and(
        eq(ssoConnection.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(ssoConnection.id, after),
      ),
    )
    .orderBy(asc(ssoConnection.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toConnection), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getConnection(scope: TenantScope, id: string): Promise<SsoConnection> {
  const [row] = await scope.db.select().from(ssoConnection).where(oneConnection(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such connection");
  return toConnection(row);
}

/** The connection of that slug, enabled or not. */
export async function findConnection(
  scope: TenantScope,
  slug: string,
): Promise<ConnectionRow | undefined> {
  const [row] = await scope.db
    .select()
    .from(ssoConnection)
    .where(and(eq(ssoConnection.tenantId, scope.tenantId), eq(ssoConnection.slug, slug)));
  return row;
}

/** Those a sign-in page offers. */
export async function signInChoices(scope: TenantScope): Promise<SignInChoices> {
  const data = await scope.db
    .select({ slug: ssoConnection.slug, name: ssoConnection.name })
    .from(ssoConnection)
    .where(and(eq(ssoConnection.tenantId, scope.tenantId), eq(ssoConnection.enabled, true)))
    .orderBy(asc(ssoConnection.id));
  return { data };
}

/**
 * Change a connection if it is still at `revision`. A secret given to a public client makes it a
 * confidential one.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function patchConnection(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: SsoPatch,
  seal: SealClientSecret,
  nowMs: number,
): Promise<SsoConnection> {
  const before = await getConnection(scope, id);
  const { client_secret: secret, ...shown } = patch;
  if (secret === undefined && patch.auth_method !== undefined && !before.has_secret) {
    throw new Problem("invalid", "the request does not fit its schema", {
      errors: [{ pointer: "/client_secret", detail: "needed with this auth_method" }],
    });
  }
  const confidential = secret !== undefined && before.auth_method === "none";
  const method = patch.auth_method ?? (confidential ? "client_secret_basic" : undefined);
  const after = { ...before, ...shown, revision: revision + 1 };
  const detail = { fields: Object.keys(patch).toSorted().join(" ") };
  const fact = { action: "sso.changed", kind: "sso", id, before, after, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneConnection(scope, id);
  const [[row]] = await scope.db.batch([
    scope.db
      .update(ssoConnection)
      .set({
        ...changesOf(patch),
        ...(method === undefined ? {} : { authMethod: method }),
        ...(secret === undefined ? {} : { sealedSecret: await seal(id, secret) }),
        revision: revision + 1,
        updatedAtMs: nowMs,
        lastChangeId: entry.id,
      })
      .where(and(one, eq(ssoConnection.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, ssoConnection, one),
  ]);
  return row === undefined ? stale(scope, id, revision) : toConnection(row);
}

/**
 * Delete if still at `revision`; who came through it stays a member, and is known by e-mail alone.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function deleteConnection(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getConnection(scope, id);
  const entry = await auditRow(scope, { action: "sso.deleted", kind: "sso", id, before }, nowMs);
  const { db, tenantId } = scope;
  const current = and(oneConnection(scope, id), eq(ssoConnection.revision, revision));
  const found = exists(db.select({ id: ssoConnection.id }).from(ssoConnection).where(current));
  const known = and(eq(ssoIdentity.tenantId, tenantId), eq(ssoIdentity.connectionId, id));
  const left = and(eq(ssoSignIn.tenantId, tenantId), eq(ssoSignIn.connectionId, id));
  const [, , , [row]] = await db.batch([
    recordedWhere(scope, entry, ssoConnection, current),
    db.delete(ssoIdentity).where(and(known, found)),
    db.delete(ssoSignIn).where(and(left, found)),
    db.delete(ssoConnection).where(current).returning({ id: ssoConnection.id }),
  ]);
  if (row === undefined) await stale(scope, id, revision);
}

/** Columns by their fields; what is not given stays. */
function changesOf(patch: SsoPatch) {
  return {
    name: patch.name,
    clientId: patch.client_id,
    scopes: patch.scopes,
    createMembers: patch.create_members,
    emailDomains: patch.email_domains,
    mappings: patch.mappings,
    defaultRole: patch.default_role,
    enabled: patch.enabled,
  };
}

function oneConnection({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(ssoConnection.tenantId, tenantId), eq(ssoConnection.id, id));
}

async function stale(scope: TenantScope, id: string, revision: number): Promise<never> {
  await getConnection(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the connection is no longer at revision ${revision}`);
}

function toConnection(row: Omit<ConnectionRow, "lastChangeId">): SsoConnection {
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    issuer: row.issuer,
    client_id: row.clientId,
    has_secret: row.sealedSecret !== null,
    auth_method: row.authMethod,
    scopes: [...row.scopes],
    create_members: row.createMembers,
    email_domains: [...row.emailDomains],
    mappings: [...row.mappings],
    default_role: row.defaultRole,
    enabled: row.enabled,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
