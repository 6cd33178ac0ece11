import { type SQL, and, asc, eq, gt, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rolesOfTenant, type NamedRole } from "../claim-rules/store.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import {
  type CreateIssuer,
  type Issuer,
  type IssuerPatch,
  ISSUERS_MAX,
  type SealSharedSecret,
} from "./contract.ts";
import { issuer } from "./table.ts";

/** An issuer's row with everything a token is judged by, its secret still sealed. */
export type IssuerRow = typeof issuer.$inferSelect;

/** @throws Problem `already_exists` | `conflict` when the tenant has as many as it may */
export async function createIssuer(
  scope: TenantScope,
  input: CreateIssuer,
  seal: SealSharedSecret,
  nowMs: number,
): Promise<Issuer> {
  const { db, tenantId } = scope;
  const id = newId("issuer", nowMs);
  const shared = "shared_secret" in input ? input.shared_secret : undefined;
  const values = {
    tenantId,
    id,
    name: input.name,
    issuer: input.issuer,
    audience: input.audience,
    alg: input.alg,
    typ: input.typ,
    jwksUri: "jwks_uri" in input ? input.jwks_uri : null,
    sealedSecret: shared === undefined ? null : await seal(id, shared),
    tenantClaim: input.tenant_claim,
    tenantValue: input.tenant_value,
    maxLifetimeSeconds: input.max_lifetime_seconds,
    mappings: input.mappings,
    defaultRole: input.default_role,
    enabled: input.enabled,
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const fact = { action: "issuer.created", kind: "issuer", id, after: toIssuer(values) };
  const entry = await auditRow(scope, fact, nowMs);
  const mine = eq(tenant.id, tenantId);
  const room = sql`(select count(*) from ${issuer} where ${issuer.tenantId} = ${tenantId}) < ${ISSUERS_MAX}`;
  const [[made]] = await db.batch([
    insertWhere(db, issuer, { ...values, lastChangeId: entry.id }, tenant, and(mine, room))
      .onConflictDoNothing()
      .returning(),
    recordedWhere(scope, entry, issuer, oneIssuer(scope, id)),
  ]);
  if (made !== undefined) return toIssuer(made);
  const [taken] = await db
    .select({ id: issuer.id })
    .from(issuer)
    .where(and(eq(issuer.tenantId, tenantId), eq(issuer.issuer, input.issuer)));
  if (taken === undefined)
    throw new Problem("conflict", `a tenant has at most ${ISSUERS_MAX} issuers`);
  throw new Problem("already_exists", "the issuer is registered", {
    errors: [{ pointer: "/issuer", detail: "taken" }],
  });
}

/** Issuers in the order they were made. */
export async function listIssuers(scope: TenantScope, page: PageQuery): Promise<Page<Issuer>> {
  const after = idAfter("issuer", page.cursor);
  const rows = await scope.db
    .select()
    .from(issuer)
    .where(
      and(
        eq(issuer.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(issuer.id, after),
      ),
    )
    .orderBy(asc(issuer.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toIssuer), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getIssuer(scope: TenantScope, id: string): Promise<Issuer> {
  const [row] = await scope.db.select().from(issuer).where(oneIssuer(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such issuer");
  return toIssuer(row);
}

/**
 * Change an issuer if it is still at `revision`.
 *
 * @throws Problem `not_found` | `version_conflict` | `invalid` for a secret of one with public keys,
 *         and for an address of one with a secret
 */
export async function patchIssuer(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: IssuerPatch,
  seal: SealSharedSecret,
  nowMs: number,
): Promise<Issuer> {
  const before = await getIssuer(scope, id);
  demandOwnKind(before, patch);
  const { shared_secret: secret, ...shown } = patch;
  const after = { ...before, ...shown, revision: revision + 1 };
  const fact = { action: "issuer.changed", kind: "issuer", id, before, after };
  const detail = { fields: Object.keys(patch).toSorted().join(" ") };
  const entry = await auditRow(scope, { ...fact, detail }, nowMs);
  const one = oneIssuer(scope, id);
  const [[row]] = await scope.db.batch([
    scope.db
      .update(issuer)
      .set({
        ...changesOf(patch),
        ...(secret === undefined ? {} : { sealedSecret: await seal(id, secret) }),
        revision: revision + 1,
        updatedAtMs: nowMs,
        lastChangeId: entry.id,
      })
      .where(and(one, eq(issuer.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, issuer, one),
  ]);
  return row === undefined ? stale(scope, id, revision) : toIssuer(row);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function deleteIssuer(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getIssuer(scope, id);
  const fact = { action: "issuer.deleted", kind: "issuer", id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const current = and(oneIssuer(scope, id), eq(issuer.revision, revision));
  const [, [row]] = await scope.db.batch([
    recordedWhere(scope, entry, issuer, current),
    scope.db.delete(issuer).where(current).returning({ id: issuer.id }),
  ]);
  if (row === undefined) await stale(scope, id, revision);
}

/** The tenant's enabled issuers, and the roles their rules may name. */
export async function trustedIssuers(
  scope: TenantScope,
): Promise<{ readonly rows: readonly IssuerRow[]; readonly roles: readonly NamedRole[] }> {
  const { db, tenantId } = scope;
  const enabled = and(eq(issuer.tenantId, tenantId), eq(issuer.enabled, true));
  const [rows, roles] = await db.batch([
    db.select().from(issuer).where(enabled).orderBy(asc(issuer.id)),
    rolesOfTenant(scope),
  ]);
  return { rows, roles };
}

/** Columns by their fields; what is not given stays. */
function changesOf(patch: IssuerPatch) {
  return {
    name: patch.name,
    audience: patch.audience,
    typ: patch.typ,
    jwksUri: patch.jwks_uri,
    tenantClaim: patch.tenant_claim,
    tenantValue: patch.tenant_value,
    maxLifetimeSeconds: patch.max_lifetime_seconds,
    mappings: patch.mappings,
    defaultRole: patch.default_role,
    enabled: patch.enabled,
  };
}

/** What an issuer is trusted by stays of its kind: an address, or a secret. */
function demandOwnKind(before: Issuer, patch: IssuerPatch): void {
  const other = before.has_shared_secret ? "jwks_uri" : "shared_secret";
  if (patch[other] === undefined) return;
  throw new Problem("invalid", "the issuer is trusted otherwise", {
    errors: [{ pointer: `/${other}`, detail: `not with ${before.alg}` }],
  });
}

function oneIssuer({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(issuer.tenantId, tenantId), eq(issuer.id, id));
}

async function stale(scope: TenantScope, id: string, revision: number): Promise<never> {
  await getIssuer(scope, id); // throws not_found when that is the reason
  throw new Problem("version_conflict", `the issuer is no longer at revision ${revision}`);
}

function toIssuer(row: Omit<IssuerRow, "lastChangeId">): Issuer {
  return {
    id: row.id,
    name: row.name,
    issuer: row.issuer,
    audience: row.audience,
    alg: row.alg,
    typ: row.typ,
    jwks_uri: row.jwksUri,
    has_shared_secret: row.sealedSecret !== null,
    tenant_claim: row.tenantClaim,
    tenant_value: row.tenantValue,
    max_lifetime_seconds: row.maxLifetimeSeconds,
    mappings: [...row.mappings],
    default_role: row.defaultRole,
    enabled: row.enabled,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
