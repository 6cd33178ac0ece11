import { and, asc, desc, eq, exists, gt, isNotNull, isNull, lte, or } from "drizzle-orm";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { Problem } from "../problem.ts";
import type { Sealer } from "../seal/contract.ts";
import type { OpenableVersion, RotateSecret, Secret, SecretVersion } from "./contract.ts";
import { getSecret, oneSecret, toSecret, versionRow } from "./store.ts";
import { secret, secretVersion } from "./table.ts";

/**
 * A new value. What is sent is the new one from each agent's next run on; the old one still
 * verifies until its overlap ends.
 *
 * @throws Problem `not_found` | `conflict` when another rotation came first
 */
export async function rotateSecret(
  scope: TenantScope,
  id: string,
  { value, overlap_seconds: overlapS }: RotateSecret,
  sealer: Sealer,
  nowMs: number,
): Promise<Secret> {
  const { db, tenantId } = scope;
  const before = await getSecret(scope, id, nowMs);
  const version = before.version + 1;
  const fact = {
    action: "secret.rotated",
    kind: "secret",
    id,
    before,
    after: { ...before, version, rotated_at: rfc3339(nowMs) },
    detail: { version, overlap_seconds: overlapS },
  };
  const entry = await auditRow(scope, fact, nowMs);
  const mine = oneSecret(scope, id);
  const changed = and(mine, eq(secret.lastChangeId, entry.id));
  const found = exists(db.select({ id: secret.id }).from(secret).where(changed));
  const old = and(
    eq(secretVersion.tenantId, tenantId),
    eq(secretVersion.secretId, id),
    eq(secretVersion.version, before.version),
  );
  const ending =
    overlapS === 0 ? { endsAtMs: nowMs, sealed: null } : { endsAtMs: nowMs + overlapS * 1000 };
  const [[row]] = await db.batch([
    db
      .update(secret)
      .set({ version, revision: before.revision + 1, rotatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(mine, eq(secret.revision, before.revision)))
      .returning(),
    db.update(secretVersion).set(ending).where(and(old, found)),
    insertWhere(
      db,
      secretVersion,
      versionRow(scope, id, version, value, sealer, nowMs),
      secret,
      changed,
    ),
    bumpGenerations(scope, found, nowMs),
    recordedIfChanged(scope, entry, secret, mine),
  ]);
  if (row === undefined) throw new Problem("conflict", "the secret was changed at the same time");
  return toSecret(row, nowMs);
}

/** Newest first, the last hundred. @throws Problem `not_found` */
export async function listSecretVersions(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<readonly SecretVersion[]> {
  await getSecret(scope, id, nowMs);
  const rows = await scope.db
    .select()
    .from(secretVersion)
    .where(ofSecret(scope, id))
    .orderBy(desc(secretVersion.version))
    .limit(100);
  return rows.map((row) => ({
    version: row.version,
    state: stateOf(row.endsAtMs, nowMs),
    created_at: rfc3339(row.createdAtMs),
    ends_at: row.endsAtMs === null ? null : rfc3339(row.endsAtMs),
  }));
}

/** The versions that still verify: the current one, and those in their overlap. @throws Problem `not_found` */
export async function openableVersions(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<readonly OpenableVersion[]> {
  await getSecret(scope, id, nowMs);
  const rows = await scope.db
    .select()
    .from(secretVersion)
    .where(
      and(
        ofSecret(scope, id),
        or(isNull(secretVersion.endsAtMs), gt(secretVersion.endsAtMs, nowMs)),
      ),
    )
    .orderBy(asc(secretVersion.version));
  return rows.flatMap(({ id: versionId, version, sealed, endsAtMs }) =>
    sealed === null ? [] : [{ id: versionId, version, sealed, endsAtMs }],
  );
}

/** Values whose overlap has ended are gone for good. */
export async function dropEndedVersions(platform: PlatformScope, nowMs: number): Promise<void> {
  await platform.db
    .update(secretVersion)
    .set({ sealed: null })
    .where(and(lte(secretVersion.endsAtMs, nowMs), isNotNull(secretVersion.sealed)));
}

function stateOf(endsAtMs: number | null, nowMs: number): SecretVersion["state"] {
  if (endsAtMs === null) return "current";
  return endsAtMs > nowMs ? "overlap" : "ended";
}

function ofSecret({ tenantId }: TenantScope, id: string) {
  return and(eq(secretVersion.tenantId, tenantId), eq(secretVersion.secretId, id));
}
