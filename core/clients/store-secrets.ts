/**
 * Secrets of app clients: two at most that work for good, so that one can replace the other without
 * a gap, and a few that were replaced and are in their grace.
 *
 * S1  Whoever adds one first writes the client's row: of racing callers each counts what the others
 *     made. Statements of D1 run one by one anyway; on Postgres the written row makes the second wait.
 */
import { type SQL, and, desc, eq, exists, gt, isNull, or, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { hashSecret, newSecret } from "../keys/format.ts";
import { Problem } from "../problem.ts";
import {
  type ClientSecret,
  type ClientSecrets,
  type IssuedClientSecret,
  LIVE_SECRETS_MAX,
  SECRETS_IN_GRACE_MAX,
} from "./contract.ts";
import { makeClientSecret, startOfSecret } from "./format.ts";
import { appClient, clientSecret } from "./table.ts";

/** What `POST /auth/token` compares a presented secret with. */
export type SecretRow = {
  readonly secretHash: string;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
  readonly client: {
    readonly id: string;
    readonly scopes: (typeof appClient.$inferSelect)["scopes"];
    readonly enabled: boolean;
    readonly tokenLifetimeSeconds: number;
  };
};

/** A secret that is made but not stored yet. */
export async function forgeSecret(
  { tenantId }: TenantScope,
  clientId: string,
  changeId: string,
  nowMs: number,
) {
  const id = newId("clientSecret", nowMs);
  const secret = newSecret();
  const row = {
    tenantId,
    id,
    clientId,
    start: startOfSecret(id),
    secretHash: await hashSecret(secret),
    lastChangeId: changeId,
    createdAtMs: nowMs,
    expiresAtMs: null,
    revokedAtMs: null,
  };
  return { row, secret: makeClientSecret({ id, secret }) };
}

/**
 * A further secret beside the one there is.
 *
 * @throws Problem `not_found` | `conflict` when two work already
 */
export async function addSecret(
  scope: TenantScope,
  clientId: string,
  nowMs: number,
): Promise<IssuedClientSecret> {
  const entry = await secretEntry(scope, "client.secret_added", clientId, nowMs);
  const made = await forgeSecret(scope, clientId, entry.id, nowMs);
  const room = sql`(select count(*) from ${clientSecret} where ${live(scope, clientId, nowMs)}) < ${LIVE_SECRETS_MAX}`;
  const mine = client(scope, clientId);
  const [, [row]] = await scope.db.batch([
    scope.db.update(appClient).set({ lastChangeId: entry.id }).where(mine), // S1
    insertWhere(scope.db, clientSecret, made.row, appClient, and(mine, room)).returning(),
    recordedWhere(scope, entry, clientSecret, one(scope, clientId, made.row.id)),
  ]);
  if (row !== undefined) return { ...toSecret(row, nowMs), secret: made.secret };
  await demandClient(scope, clientId);
  throw new Problem("conflict", `the client has ${LIVE_SECRETS_MAX} secrets that work; revoke one`);
}

/**
 * A new secret in place of those there are, which work on for `graceMs`. One that was replaced
 * before keeps the end it was promised: a second rotation takes nothing from who still has the
 * first secret. Without a grace all of them end at once.
 *
 * @throws Problem `not_found` | `conflict` when too many are in their grace
 */
export async function rotateSecret(
  scope: TenantScope,
  clientId: string,
  graceMs: number,
  nowMs: number,
): Promise<IssuedClientSecret> {
  const { db } = scope;
  const detail = { grace_seconds: graceMs / 1000 };
  const entry = await secretEntry(scope, "client.secret_rotated", clientId, nowMs, detail);
  const { row, secret } = await forgeSecret(scope, clientId, entry.id, nowMs);
  const living = live(scope, clientId, nowMs);
  const room = sql`(select count(*) from ${clientSecret} where ${living}) < ${SECRETS_IN_GRACE_MAX}`;
  const change = { lastChangeId: entry.id };
  const mine = client(scope, clientId);
  const changed = and(mine, eq(appClient.lastChangeId, entry.id));
  const rotating = exists(db.select({ id: appClient.id }).from(appClient).where(changed));
  const [, , [made]] = await db.batch([
    db
      .update(appClient)
      .set(change)
      .where(and(mine, graceMs === 0 ? undefined : room)), // S1
    graceMs === 0
      ? db
          .update(clientSecret)
          .set({ ...change, revokedAtMs: nowMs })
          .where(and(living, rotating))
      : db
          .update(clientSecret)
          .set({ ...change, expiresAtMs: nowMs + graceMs })
          .where(and(living, isNull(clientSecret.expiresAtMs), rotating)),
    insertWhere(db, clientSecret, row, appClient, changed).returning(),
    recordedIfChanged(scope, entry, appClient, mine),
  ]);
  if (made !== undefined) return { ...toSecret(made, nowMs), secret };
  await demandClient(scope, clientId);
  throw new Problem(
    "conflict",
    "too many secrets are in their grace; revoke one, or rotate without",
  );
}

/** Newest first: those that work, and those that did. @throws Problem `not_found` */
export async function listSecrets(
  scope: TenantScope,
  clientId: string,
  nowMs: number,
): Promise<ClientSecrets> {
  await demandClient(scope, clientId);
  const rows = await scope.db
    .select()
    .from(clientSecret)
    .where(and(eq(clientSecret.tenantId, scope.tenantId), eq(clientSecret.clientId, clientId)))
    .orderBy(desc(clientSecret.id))
    .limit(100);
  return { data: rows.map((row) => toSecret(row, nowMs)) };
}

/**
 * Revoke; the first revocation's time stays, so again is no change.
 *
 * @throws Problem `not_found`
 */
export async function revokeSecret(
  scope: TenantScope,
  clientId: string,
  id: string,
  nowMs: number,
): Promise<ClientSecret> {
  const detail = { secret: id };
  const entry = await secretEntry(scope, "client.secret_revoked", clientId, nowMs, detail);
  const { db } = scope;
  const mine = one(scope, clientId, id);
  const [, , [row]] = await db.batch([
    db
      .update(clientSecret)
      .set({ revokedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(mine, isNull(clientSecret.revokedAtMs))),
    recordedIfChanged(scope, entry, clientSecret, mine),
    db.select().from(clientSecret).where(mine),
  ]);
  if (row === undefined) throw new Problem("not_found", "no such secret");
  return toSecret(row, nowMs);
}

/** The secret of that id, with its client; whether it is good is the caller's to judge. */
export async function findSecret(
  scope: TenantScope,
  clientId: string,
  id: string,
): Promise<SecretRow | undefined> {
  const { secretHash, expiresAtMs, revokedAtMs } = clientSecret;
  const { scopes, enabled, tokenLifetimeSeconds } = appClient;
  const [row] = await scope.db
    .select({
      secretHash,
      expiresAtMs,
      revokedAtMs,
      client: { id: appClient.id, scopes, enabled, tokenLifetimeSeconds },
    })
    .from(clientSecret)
    .innerJoin(appClient, client(scope, clientId))
    .where(one(scope, clientId, id));
  return row;
}

function secretEntry(
  scope: TenantScope,
  action: string,
  clientId: string,
  nowMs: number,
  detail: Readonly<Record<string, string | number>> = {},
) {
  return auditRow(scope, { action, kind: "client", id: clientId, detail }, nowMs);
}

async function demandClient(scope: TenantScope, clientId: string): Promise<void> {
  const [row] = await scope.db
    .select({ id: appClient.id })
    .from(appClient)
    .where(client(scope, clientId));
  if (row === undefined) throw new Problem("not_found", "no such client");
}

function client({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(appClient.tenantId, tenantId), eq(appClient.id, id));
}

function one({ tenantId }: TenantScope, clientId: string, id: string): SQL | undefined {
  return and(
    eq(clientSecret.tenantId, tenantId),
    eq(clientSecret.clientId, clientId),
    eq(clientSecret.id, id),
  );
}

function live({ tenantId }: TenantScope, clientId: string, nowMs: number): SQL | undefined {
  return and(
    eq(clientSecret.tenantId, tenantId),
    eq(clientSecret.clientId, clientId),
    isNull(clientSecret.revokedAtMs),
    or(isNull(clientSecret.expiresAtMs), gt(clientSecret.expiresAtMs, nowMs)),
  );
}

function toSecret(row: typeof clientSecret.$inferSelect, nowMs: number): ClientSecret {
  const { expiresAtMs, revokedAtMs } = row;
  const expiring = expiresAtMs === null ? "active" : expiresAtMs > nowMs ? "expiring" : "expired";
  return {
    id: row.id,
    start: row.start,
    status: revokedAtMs === null ? expiring : "revoked",
    created_at: rfc3339(row.createdAtMs),
    expires_at: expiresAtMs === null ? null : rfc3339(expiresAtMs),
    revoked_at: revokedAtMs === null ? null : rfc3339(revokedAtMs),
  };
}
