/**
 * Named secrets: written, never read back.
 *
 * N1  A value is sealed before it reaches a statement, for the tenant and the very version.
 * N2  What is sent changes for every live agent in the batch of the change: a new generation.
 * N3  A secret that something live names is not deleted.
 */
import { and, asc, eq, exists, gt } from "drizzle-orm";
import { auditRow, recorded, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import type { Sealer } from "../seal/contract.ts";
import { notCreated, withinQuota } from "../tiers/store.ts";
import type { CreateSecret, Secret, SecretPatch } from "./contract.ts";
import { notInUse, usersOf } from "./store-references.ts";
import { secret, secretVersion } from "./table.ts";

const ROTATION_DUE_MS = 90 * 86_400_000;

/** @throws Problem `already_exists` | `quota_exceeded` */
export async function createSecret(
  scope: TenantScope,
  input: CreateSecret,
  sealer: Sealer,
  nowMs: number,
): Promise<Secret> {
  const { db, tenantId } = scope;
  const id = newId("secret", nowMs);
  const fact = { action: "secret.created", kind: "secret", id, detail: { name: input.name } };
  const entry = await auditRow(scope, fact, nowMs);
  const row = {
    tenantId,
    id,
    name: input.name,
    description: input.description,
    version: 1,
    revision: 1,
    createdAtMs: nowMs,
    rotatedAtMs: nowMs,
    lastUsedAtMs: null,
    lastUsedBy: null,
    lastChangeId: entry.id,
  };
  const quota = withinQuota(scope, "secrets");
  const [, [made]] = await db.batch([
    quota.hold,
    quota.insert(secret, row).onConflictDoNothing().returning(),
    insertWhere(
      db,
      secretVersion,
      versionRow(scope, id, 1, input.value, sealer, nowMs),
      secret,
      oneSecret(scope, id),
    ),
    recordedIfChanged(scope, entry, secret, oneSecret(scope, id)),
  ]);
  if (made !== undefined) return toSecret(made, nowMs);
  const taken = new Problem("already_exists", "the name is taken", {
    errors: [{ pointer: "/name", detail: "taken" }],
  });
  const named = and(eq(secret.tenantId, tenantId), eq(secret.name, input.name));
  throw await notCreated(scope, "secrets", secret, named, taken);
}

/** Secrets in the order they were made, without their values. */
export async function listSecrets(
  scope: TenantScope,
  page: PageQuery,
  nowMs: number,
): Promise<Page<Secret>> {
  const after = idAfter("secret", page.cursor);
  const rows = await scope.db
    .select()
    .from(secret)
    .where(
      and(
        eq(secret.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(secret.id, after),
      ),
    )
    .orderBy(asc(secret.id))
    .limit(page.limit + 1);
  return pageOf(
    rows.map((row) => toSecret(row, nowMs)),
    page.limit,
    (row) => row.id,
  );
}

/** @throws Problem `not_found` */
export async function getSecret(scope: TenantScope, id: string, nowMs: number): Promise<Secret> {
  const [row] = await scope.db.select().from(secret).where(oneSecret(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such secret");
  return toSecret(row, nowMs);
}

/** @throws Problem `not_found` | `version_conflict` */
export async function patchSecret(
  scope: TenantScope,
  id: string,
  revision: number,
  { description }: SecretPatch,
  nowMs: number,
): Promise<Secret> {
  const before = await getSecret(scope, id, nowMs);
  const after = { ...before, description, revision: revision + 1 };
  const fact = { action: "secret.changed", kind: "secret", id, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const [[row]] = await scope.db.batch([
    scope.db
      .update(secret)
      .set({ description, revision: revision + 1, lastChangeId: entry.id })
      .where(and(oneSecret(scope, id), eq(secret.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, secret, oneSecret(scope, id)),
  ]);
  if (row !== undefined) return toSecret(row, nowMs);
  throw new Problem("version_conflict", `the secret is no longer at revision ${revision}`);
}

/**
 * Delete if still at `revision` and nothing live names it (N3); its values go with it.
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` with who uses it
 */
export async function deleteSecret(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const { db } = scope;
  const before = await getSecret(scope, id, nowMs);
  const fact = { action: "secret.deleted", kind: "secret", id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const free = and(
    oneSecret(scope, id),
    eq(secret.revision, revision),
    notInUse(scope, before.name),
  );
  const found = exists(db.select({ id: secret.id }).from(secret).where(free));
  const values = and(eq(secretVersion.tenantId, scope.tenantId), eq(secretVersion.secretId, id));
  const [, , , [row]] = await db.batch([
    recordedWhere(scope, entry, secret, free),
    bumpGenerations(scope, found, nowMs), // a build under way has read it
    db.delete(secretVersion).where(and(values, found)),
    db.delete(secret).where(free).returning({ id: secret.id }),
  ]);
  if (row !== undefined) return;
  const now = await getSecret(scope, id, nowMs); // throws not_found when that is the reason
  if (now.revision !== revision) {
    throw new Problem("version_conflict", `the secret is no longer at revision ${revision}`);
  }
  throw new Problem("conflict", "the secret is in use", {
    errors: await usersOf(scope, before.name),
  });
}

/** That somebody asked whether a value is this secret's, and what came of it. */
export async function recordVerified(
  scope: TenantScope,
  id: string,
  valid: boolean,
  nowMs: number,
): Promise<void> {
  const fact = { action: "secret.verified", kind: "secret", id, detail: { valid } };
  await recorded(scope, await auditRow(scope, fact, nowMs));
}

/** The secret with this id, if it is the tenant's. */
export function oneSecret({ tenantId }: TenantScope, id: string) {
  return and(eq(secret.tenantId, tenantId), eq(secret.id, id));
}

/** A value as it is stored: sealed for this version and no other (N1). */
export function versionRow(
  { tenantId }: TenantScope,
  secretId: string,
  version: number,
  value: string,
  sealer: Sealer,
  nowMs: number,
) {
  const id = `${secretId}.${version}`;
  const sealed = sealer.seal({ tenantId, kind: "secret", id }, value);
  return { tenantId, id, secretId, version, sealed, createdAtMs: nowMs, endsAtMs: null };
}

export function toSecret(row: typeof secret.$inferSelect, nowMs: number): Secret {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    version: row.version,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    rotated_at: rfc3339(row.rotatedAtMs),
    rotation_due: nowMs - row.rotatedAtMs >= ROTATION_DUE_MS,
    last_used_at: row.lastUsedAtMs === null ? null : rfc3339(row.lastUsedAtMs),
    last_used_by: row.lastUsedBy,
  };
}
