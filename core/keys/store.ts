import { and, asc, eq, gt, isNull } from "drizzle-orm";
import { oneAgent } from "../agents/live.ts";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { agent } from "../agents/table.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { hasEnvironment } from "../environments/store.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import type { Principal, Scope } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { quotaExceeded, withinQuota } from "../tiers/store.ts";
import type { CreateKey, IssuedKey, Key } from "./contract.ts";
import { hashSecret, makeKey, newSecret, startOf } from "./format.ts";
import { mintable } from "./mintable.ts";
import { key } from "./table.ts";

/** What the edge needs of a key to make a principal of it. */
export type KeyRow = {
  readonly id: string;
  readonly tenantId: string;
  readonly secretHash: string;
  readonly scopes: readonly Scope[];
  readonly agentId: string | null;
  readonly environment: string | null;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
};

/** A key that is made but not stored yet. */
export type ForgedKey = {
  readonly row: typeof key.$inferSelect;
  readonly issued: IssuedKey;
};

/** Make a key for `wanted`: its row holds the secret's hash, its answer the secret. Reads nothing. */
export async function forgeKey(
  wanted: Pick<
    typeof key.$inferInsert,
    "tenantId" | "name" | "scopes" | "agentId" | "environment" | "expiresAtMs" | "createdBy"
  >,
  nowMs: number,
): Promise<ForgedKey> {
  const id = newId("key", nowMs);
  const secret = newSecret();
  const row = {
    ...wanted,
    agentId: wanted.agentId ?? null,
    environment: wanted.environment ?? null,
    expiresAtMs: wanted.expiresAtMs ?? null,
    id,
    start: startOf(id),
    secretHash: await hashSecret(secret),
    createdAtMs: nowMs,
    revokedAtMs: null,
    lastChangeId: null,
  };
  return { row, issued: { ...toKey(row), secret: makeKey({ id, secret }) } };
}

/**
 * Mint a key that holds no more than `principal` does (DECISIONS 25).
 *
 * @throws Problem `forbidden` with the places that go too far | `invalid` for an agent or an
 *         environment the tenant has not, and for an expiry that has passed | `quota_exceeded`
 */
export async function createKey(
  scope: TenantScope,
  principal: Principal,
  input: CreateKey,
  nowMs: number,
): Promise<IssuedKey> {
  const narrowing = await narrowingOf(scope, input);
  const faults = mintable(principal, { scopes: input.scopes, ...narrowing });
  if (faults.length > 0) {
    throw new Problem("forbidden", "a key mints only a subset of itself", { errors: faults });
  }
  const expiresAtMs = input.expires_at === undefined ? null : Date.parse(input.expires_at);
  if (expiresAtMs !== null && expiresAtMs <= nowMs) throw invalid("/expires_at", "has passed");
  const { row, issued } = await forgeKey(
    {
      tenantId: scope.tenantId,
      name: input.name,
      scopes: input.scopes,
      agentId: narrowing.agentId ?? null,
      environment: narrowing.environment ?? null,
      expiresAtMs,
      createdBy: principal.id,
    },
    nowMs,
  );
  const after = toKey(row);
  const entry = await auditRow(
    scope,
    { action: "key.created", kind: "key", id: row.id, after },
    nowMs,
  );
  const quota = withinQuota(scope, "keys");
  const made = and(eq(key.tenantId, scope.tenantId), eq(key.id, row.id));
  const [, [stored]] = await scope.db.batch([
    quota.hold,
    quota.insert(key, row).returning({ id: key.id }),
    recordedWhere(scope, entry, key, made),
  ]);
  if (stored === undefined) throw await quotaExceeded(scope, "keys");
  return issued;
}

/** Keys in the order they were made, revoked ones too. */
export async function listKeys(scope: TenantScope, page: PageQuery): Promise<Page<Key>> {
  const after = idAfter("key", page.cursor);
  const rows = await scope.db
    .select()
    .from(key)
    .where(
      and(eq(key.tenantId, scope.tenantId), after === undefined ? undefined : gt(key.id, after)),
    )
    .orderBy(asc(key.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toKey), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getKey(scope: TenantScope, id: string): Promise<Key> {
  const [row] = await scope.db
    .select()
    .from(key)
    .where(and(eq(key.tenantId, scope.tenantId), eq(key.id, id)));
  if (row === undefined) throw new Problem("not_found", "no such key");
  return toKey(row);
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
  const one = and(eq(key.tenantId, scope.tenantId), eq(key.id, id));
  await scope.db.batch([
    scope.db
      .update(key)
      .set({ revokedAtMs: nowMs, lastChangeId: entry.id })
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
      tenantId: key.tenantId,
      secretHash: key.secretHash,
      scopes: key.scopes,
      agentId: key.agentId,
      environment: key.environment,
      expiresAtMs: key.expiresAtMs,
      revokedAtMs: key.revokedAtMs,
    })
    .from(key)
    .where(eq(key.id, keyId));
  return row;
}

/** Ids of what the key is to be narrowed to; each must exist in this tenant. */
async function narrowingOf(
  scope: TenantScope,
  input: CreateKey,
): Promise<{ readonly agentId?: string; readonly environment?: string }> {
  const { environment } = input;
  if (environment !== undefined) {
    const known = await hasEnvironment(scope, environment);
    if (!known) throw invalid("/environment", "no such environment");
  }
  if (input.agent === undefined) return environment === undefined ? {} : { environment };
  const [found] = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(oneAgent(scope, input.agent));
  if (found === undefined) throw invalid("/agent", "no such agent");
  return { agentId: found.id, ...(environment === undefined ? {} : { environment }) };
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer, detail }],
  });
}

function toKey(row: typeof key.$inferSelect): Key {
  return {
    id: row.id,
    name: row.name,
    start: row.start,
    scopes: [...row.scopes],
    agent_id: row.agentId,
    environment: row.environment,
    status: row.revokedAtMs === null ? "active" : "revoked",
    created_at: rfc3339(row.createdAtMs),
    expires_at: row.expiresAtMs === null ? null : rfc3339(row.expiresAtMs),
    revoked_at: row.revokedAtMs === null ? null : rfc3339(row.revokedAtMs),
  };
}
