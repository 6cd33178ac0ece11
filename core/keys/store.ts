import { type SQL, and, asc, eq, gt, isNotNull, isNull, like, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import type { Meter } from "../limits/contract.ts";
import { type Page, pageOf } from "../page.ts";
import type { Principal, Scope } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { quotaExceeded, withinQuota } from "../tiers/store.ts";
import type { CreateKey, IssuedKey, Key, KeyListQuery } from "./contract.ts";
import { hashSecret, makeKey, newSecret, startOf } from "./format.ts";
import { mintable, type WantedKey } from "./mintable.ts";
import { type KeyTableRow, meterOf, toKey } from "./row.ts";
import { type KeySettings, settingsOf } from "./store-settings.ts";
import { key } from "./table.ts";

/** What the edge needs of a key to make a principal of it. */
export type KeyRow = Pick<
  KeyTableRow,
  | "id"
  | "name"
  | "tenantId"
  | "secretHash"
  | "projectId"
  | "agentId"
  | "environment"
  | "ownerId"
  | "expiresAtMs"
  | "revokedAtMs"
  | "disabledAtMs"
  | "allowedOrigins"
  | "allowedIps"
  | "metadata"
  | "meterId"
> & {
  readonly scopes: readonly Scope[];
  /** Absent for a key without limits of its own: then nothing is asked of the gate. */
  readonly meter: Meter | undefined;
};

/** A key that is made but not stored yet. */
export type ForgedKey = {
  readonly row: typeof key.$inferSelect;
  readonly issued: IssuedKey;
};

type Wish = Pick<KeyTableRow, "tenantId" | "name" | "scopes" | "createdBy"> &
  Partial<KeySettings & Pick<KeyTableRow, "ownerId" | "rotatedFrom" | "meterId" | "revision">>;

/** Make a key for `wanted`: its row holds the secret's hash, its answer the secret. Reads nothing. */
export async function forgeKey(wanted: Wish, nowMs: number): Promise<ForgedKey> {
  const id = newId("key", nowMs);
  const secret = newSecret();
  const row = {
    ...UNRESTRICTED,
    ...wanted,
    id,
    start: startOf(id),
    secretHash: await hashSecret(secret),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  return { row, issued: { ...toKey(row), secret: makeKey({ id, secret }) } };
}

const UNRESTRICTED = {
  agentId: null,
  environment: null,
  expiresAtMs: null,
  revokedAtMs: null,
  lastChangeId: null,
  projectId: null,
  ownerId: null,
  revision: 1,
  disabledAtMs: null,
  allowedOrigins: null,
  allowedIps: null,
  rateLimits: null,
  credits: null,
  metadata: null,
  rotatedFrom: null,
  rotatedTo: null,
  meterId: null,
} as const;

/**
 * Mint a key that holds no more than `principal` does (DECISIONS 25).
 *
 * @param ownerId  The user whose personal key it is to be; null for a key of the tenant.
 * @throws Problem `forbidden` with the places that go too far | `invalid` for what the tenant has
 *         not, and for an expiry that has passed | `quota_exceeded`
 */
export async function createKey(
  scope: TenantScope,
  principal: Principal,
  input: CreateKey,
  nowMs: number,
  ownerId: string | null = null,
): Promise<IssuedKey> {
  const { tenantId } = scope;
  const settings = { ...(await settingsOf(scope, input, 1, nowMs)), ownerId };
  const { name, scopes } = input;
  await demandMintable(scope, principal, { ...settings, scopes });
  const forged = await forgeKey(
    { ...settings, tenantId, name, scopes, createdBy: principal.id },
    nowMs,
  );
  const { row, issued } = forged;
  const fact = { action: "key.created", kind: "key", id: row.id, after: toKey(row) };
  const entry = await auditRow(scope, fact, nowMs);
  const quota = withinQuota(scope, "keys");
  const [, [stored]] = await scope.db.batch([
    quota.hold,
    quota.insert(key, row).returning({ id: key.id }),
    recordedWhere(scope, entry, key, oneKey(scope, row.id)),
  ]);
  if (stored === undefined) throw await quotaExceeded(scope, "keys");
  return issued;
}

/**
 * May `principal` bring a key like this about? A key's own row is asked for the rules it is held to.
 *
 * @throws Problem `forbidden` with the places that go too far
 */
export async function demandMintable(
  scope: TenantScope,
  principal: Principal,
  wanted: WantedKey,
): Promise<void> {
  const errors = mintable(principal, wanted, await ownRowOf(scope, principal));
  if (errors.length === 0) return;
  throw new Problem("forbidden", "a key mints only a subset of itself", { errors });
}

/** The row of the key that acts; undefined for any other principal. */
export async function ownRowOf(
  scope: TenantScope,
  { kind, id }: Principal,
): Promise<KeyTableRow | undefined> {
  if (kind !== "key") return undefined;
  const [own] = await scope.db.select().from(key).where(oneKey(scope, id));
  return own;
}

/** Keys in the order they were made, revoked ones too. */
export async function listKeys(scope: TenantScope, query: KeyListQuery): Promise<Page<Key>> {
  const after = idAfter("key", query.cursor);
  const rows = await scope.db
    .select()
    .from(key)
    .where(
      and(
        eq(key.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(key.id, after),
        ...filtersOf(query),
      ),
    )
    .orderBy(asc(key.id))
    .limit(query.limit + 1);
  return pageOf(rows.map(toKey), query.limit, (row) => row.id);
}

function filtersOf(query: KeyListQuery): readonly (SQL | undefined)[] {
  const { status, agent_id, project_id, owner_id, environment, name } = query;
  return [
    agent_id === undefined ? undefined : eq(key.agentId, agent_id),
    project_id === undefined ? undefined : eq(key.projectId, project_id),
    owner_id === undefined ? undefined : eq(key.ownerId, owner_id),
    environment === undefined ? undefined : eq(key.environment, environment),
    name === undefined ? undefined : named(name),
    status === "revoked" ? isNotNull(key.revokedAtMs) : undefined,
    status === "active" || status === "disabled" ? isNull(key.revokedAtMs) : undefined,
    status === "active" ? isNull(key.disabledAtMs) : undefined,
    status === "disabled" ? isNotNull(key.disabledAtMs) : undefined,
  ];
}

/** The part as it is written: `%` and `_` mean themselves. */
function named(part: string): SQL {
  const escaped = part.toLowerCase().replaceAll(/[\\%_]/g, (mark) => `\\${mark}`);
  return sql`${like(sql`lower(${key.name})`, `%${escaped}%`)} escape '\\'`;
}

/** @throws Problem `not_found` */
export async function getKey(scope: TenantScope, id: string): Promise<Key> {
  return toKey(await keyRowOf(scope, id));
}

/** The whole row. @throws Problem `not_found` */
export async function keyRowOf(scope: TenantScope, id: string): Promise<KeyTableRow> {
  const [row] = await scope.db.select().from(key).where(oneKey(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such key");
  return row;
}

export function oneKey(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(key.tenantId, scope.tenantId), eq(key.id, id));
}

/**
 * Revoke; the first revocation's time stays, so again is no change.
 *
 * @throws Problem `not_found`
 */
export async function revokeKey(scope: TenantScope, id: string, nowMs: number): Promise<Key> {
  const before = await getKey(scope, id);
  if (before.status === "revoked") return before;
  const after = { ...before, status: "revoked" as const, revoked_at: rfc3339(nowMs) };
  const fact = { action: "key.revoked", kind: "key", id, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneKey(scope, id);
  await scope.db.batch([
    scope.db
      .update(key)
      .set({ revokedAtMs: nowMs, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(one, isNull(key.revokedAtMs))),
    recordedIfChanged(scope, entry, key, one),
  ]);
  return getKey(scope, id);
}

/** The key a credential names, before it is known whose it is. Callers compare hash and tenant. */
export async function findKey(platform: PlatformScope, keyId: string): Promise<KeyRow | undefined> {
  const [row] = await platform.db
    .select({
      id: key.id,
      name: key.name,
      tenantId: key.tenantId,
      secretHash: key.secretHash,
      scopes: key.scopes,
      projectId: key.projectId,
      agentId: key.agentId,
      environment: key.environment,
      ownerId: key.ownerId,
      expiresAtMs: key.expiresAtMs,
      revokedAtMs: key.revokedAtMs,
      disabledAtMs: key.disabledAtMs,
      allowedOrigins: key.allowedOrigins,
      allowedIps: key.allowedIps,
      rateLimits: key.rateLimits,
      credits: key.credits,
      metadata: key.metadata,
      meterId: key.meterId,
    })
    .from(key)
    .where(eq(key.id, keyId));
  return row && { ...row, meter: meterOf(row) };
}
