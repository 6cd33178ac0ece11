import { type SQL, and, asc, eq, exists, gt } from "drizzle-orm";
import { holdTenant } from "../access/store-admins.ts";
import { assignment } from "../access/table.ts";
import { auditRow, recorded, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import type { Scope } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { quotaExceeded, withinQuota } from "../tiers/store.ts";
import type { Client, ClientPatch, CreateClient, IssuedClient } from "./contract.ts";
import { forgeSecret } from "./store-secrets.ts";
import { appClient, clientSecret } from "./table.ts";

/** What the edge needs of a client to judge its tokens. */
export type ClientRow = {
  readonly id: string;
  readonly scopes: readonly Scope[];
  readonly enabled: boolean;
};

/**
 * A client and its first secret. What its creator may give is the caller's to check.
 *
 * @throws Problem `quota_exceeded`
 */
export async function createClient(
  scope: TenantScope,
  input: CreateClient,
  nowMs: number,
): Promise<IssuedClient> {
  const { db, tenantId, by } = scope;
  const id = newId("client", nowMs);
  const values = {
    tenantId,
    id,
    name: input.name,
    scopes: input.scopes,
    tokenLifetimeSeconds: input.token_lifetime_seconds,
    enabled: true,
    revision: 1,
    createdBy: by.id,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const after = toClient(values);
  const entry = await auditRow(
    scope,
    { action: "client.created", kind: "client", id, after },
    nowMs,
  );
  const first = await forgeSecret(scope, id, entry.id, nowMs);
  const quota = withinQuota(scope, "clients");
  const made = oneClient(scope, id);
  const [, [stored]] = await db.batch([
    quota.hold,
    quota.insert(appClient, { ...values, lastChangeId: entry.id }).returning({ id: appClient.id }),
    insertWhere(db, clientSecret, first.row, appClient, made),
    recordedWhere(scope, entry, appClient, made),
  ]);
  if (stored === undefined) throw await quotaExceeded(scope, "clients");
  return { ...after, secret: first.secret };
}

/** Clients in the order they were made. */
export async function listClients(scope: TenantScope, page: PageQuery): Promise<Page<Client>> {
  const after = idAfter("client", page.cursor);
  const rows = await scope.db
    .select()
    .from(appClient)
    .where(
      and(
        eq(appClient.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(appClient.id, after),
      ),
    )
    .orderBy(asc(appClient.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toClient), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getClient(scope: TenantScope, id: string): Promise<Client> {
  const [row] = await scope.db.select().from(appClient).where(oneClient(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such client");
  return toClient(row);
}

/** What a token of the client rests on. */
export async function findClient(scope: TenantScope, id: string): Promise<ClientRow | undefined> {
  const { id: clientId, scopes, enabled } = appClient;
  const [row] = await scope.db
    .select({ id: clientId, scopes, enabled })
    .from(appClient)
    .where(oneClient(scope, id));
  return row;
}

/**
 * Change a client if it is still at `revision`.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function patchClient(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: ClientPatch,
  nowMs: number,
): Promise<Client> {
  const before = await getClient(scope, id);
  const changed = {
    ...(patch.name === undefined ? {} : { name: patch.name }),
    ...(patch.scopes === undefined ? {} : { scopes: patch.scopes }),
    ...(patch.enabled === undefined ? {} : { enabled: patch.enabled }),
    ...(patch.token_lifetime_seconds === undefined
      ? {}
      : { tokenLifetimeSeconds: patch.token_lifetime_seconds }),
  };
  const fact = {
    action: "client.changed",
    kind: "client",
    id,
    before,
    after: { ...before, ...patch, revision: revision + 1, updated_at: rfc3339(nowMs) },
    detail: { fields: Object.keys(patch).toSorted().join(" ") },
  };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneClient(scope, id);
  const [[row]] = await scope.db.batch([
    scope.db
      .update(appClient)
      .set({ ...changed, revision: revision + 1, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(one, eq(appClient.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, appClient, one),
  ]);
  if (row !== undefined) return toClient(row);
  return stale(scope, id, revision);
}

/**
 * Delete if still at `revision`; its secrets and roles go with it, and its tokens end within the
 * cache time.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function deleteClient(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getClient(scope, id);
  const fact = { action: "client.deleted", kind: "client", id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const { db, tenantId } = scope;
  const current = and(oneClient(scope, id), eq(appClient.revision, revision));
  const found = exists(db.select({ id: appClient.id }).from(appClient).where(current));
  const secrets = and(eq(clientSecret.tenantId, tenantId), eq(clientSecret.clientId, id));
  const roles = and(eq(assignment.tenantId, tenantId), eq(assignment.principalId, id));
  const [, , , , [row]] = await db.batch([
    holdTenant(scope), // assigning a role does the same
    recordedWhere(scope, entry, appClient, current),
    db.delete(clientSecret).where(and(secrets, found)),
    db.delete(assignment).where(and(roles, found)),
    db.delete(appClient).where(current).returning({ id: appClient.id }),
  ]);
  if (row === undefined) await stale(scope, id, revision);
}

/** That the client got a token, and for what; the token itself is kept nowhere. */
export async function recordTokenIssued(
  scope: TenantScope,
  id: string,
  scopes: readonly Scope[],
  nowMs: number,
): Promise<void> {
  const detail = { scope: scopes.join(" ") };
  const fact = { action: "token.issued", kind: "client", id, detail };
  await recorded(scope, await auditRow(scope, fact, nowMs));
}

function oneClient({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(appClient.tenantId, tenantId), eq(appClient.id, id));
}

async function stale(scope: TenantScope, id: string, revision: number): Promise<never> {
  await getClient(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the client is no longer at revision ${revision}`);
}

function toClient(row: Omit<typeof appClient.$inferSelect, "lastChangeId">): Client {
  return {
    id: row.id,
    name: row.name,
    scopes: [...row.scopes],
    token_lifetime_seconds: row.tokenLifetimeSeconds,
    enabled: row.enabled,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
