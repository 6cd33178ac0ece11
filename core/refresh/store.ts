/**
 * Refresh tokens: opaque, kept as hashes, each good for one use.
 *
 * R1  Using a token and making its successor is one batch: of two uses at once one makes a token.
 * R2  A token that is used again tells that two have it. Which of them is the owner nobody can say,
 *     so the family is over, its newest token included. There is no grace for a second use, not
 *     for the shortest while: a grace is a time in which a thief's use goes unnoticed. A client
 *     whose answer was lost signs in again.
 * R3  A family is of one user in one tenant, and as old as its sign-in.
 *
 * @source RFC 9700 §4.14.2
 */
import { type SQL, and, eq, gt, isNull, lte, sql } from "drizzle-orm";
import { auditRow, recorded, recordedWhere } from "../audit/store-record.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { hashSecret, newSecret } from "../keys/format.ts";
import { REFRESH_FAMILY_MS, REFRESH_IDLE_MS, REFRESH_PREFIX, type Refreshed } from "./contract.ts";
import { refreshToken } from "./table.ts";

/** The first token of a new family, for a user who has just signed in. */
export async function beginFamily(
  scope: TenantScope,
  { userId, wanted }: { readonly userId: string; readonly wanted: string | null },
  nowMs: number,
): Promise<Refreshed> {
  const familyId = newId("refresh", nowMs);
  const token = newToken();
  const entry = await auditRow(
    scope,
    { action: "session.begun", kind: "user", id: userId, detail: { family: familyId } },
    nowMs,
  );
  await scope.db.batch([
    scope.db.insert(refreshToken).values({
      tenantId: scope.tenantId,
      tokenHash: await hashSecret(token),
      familyId,
      userId,
      scope: wanted,
      beganAtMs: nowMs,
      createdAtMs: nowMs,
      expiresAtMs: nowMs + REFRESH_IDLE_MS,
    }),
    recorded(scope, entry),
  ]);
  return { token, familyId, userId, scope: wanted, beganAtMs: nowMs };
}

/**
 * Use a token up and make its successor.
 *
 * @returns  undefined for one that is unknown, expired, revoked or another tenant's, and for one
 *           that was used before: its family is then over (R2).
 */
export async function useRefreshToken(
  scope: TenantScope,
  presented: string,
  nowMs: number,
): Promise<Refreshed | undefined> {
  const { db, tenantId } = scope;
  const hash = await hashSecret(presented);
  const one = and(eq(refreshToken.tenantId, tenantId), eq(refreshToken.tokenHash, hash));
  const change = newId("event", nowMs);
  const token = newToken();
  const successor = {
    tenantId,
    tokenHash: await hashSecret(token),
    familyId: sql`${refreshToken.familyId}`,
    userId: sql`${refreshToken.userId}`,
    scope: sql`${refreshToken.scope}`,
    beganAtMs: sql`${refreshToken.beganAtMs}`,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + REFRESH_IDLE_MS,
  };
  const [[used]] = await db.batch([
    db
      .update(refreshToken)
      .set({ usedAtMs: nowMs, lastChangeId: change })
      .where(
        and(
          one,
          isNull(refreshToken.usedAtMs),
          isNull(refreshToken.revokedAtMs),
          gt(refreshToken.expiresAtMs, nowMs),
          gt(refreshToken.beganAtMs, nowMs - REFRESH_FAMILY_MS),
        ),
      )
      .returning(),
    insertWhere(
      db,
      refreshToken,
      successor,
      refreshToken,
      and(one, eq(refreshToken.lastChangeId, change)),
    ),
  ]);
  if (used === undefined) {
    await endIfUsedAgain(scope, hash, nowMs);
    return undefined;
  }
  const { familyId, userId, scope: wanted, beganAtMs } = used;
  return { token, familyId, userId, scope: wanted, beganAtMs };
}

/** Sign out: the family of a token is over, whichever of its tokens it is. Again is no error. */
export async function endFamilyOf(
  scope: TenantScope,
  presented: string,
  nowMs: number,
): Promise<void> {
  const [row] = await findToken(scope, await hashSecret(presented));
  if (row !== undefined) await endFamily(scope, row, "session.ended", nowMs);
}

/** All families of a user's, as a statement of a batch. */
export function withoutFamiliesOf(scope: TenantScope, userId: string, nowMs: number, when?: SQL) {
  return scope.db
    .update(refreshToken)
    .set({ revokedAtMs: nowMs })
    .where(
      and(
        eq(refreshToken.tenantId, scope.tenantId),
        eq(refreshToken.userId, userId),
        isNull(refreshToken.revokedAtMs),
        when,
      ),
    );
}

/** Cron: forget what counts no more. A used token is kept that long, so that its re-use is seen. */
export async function deleteExpiredRefreshTokens(
  platform: PlatformScope,
  nowMs: number,
): Promise<void> {
  await platform.db.delete(refreshToken).where(lte(refreshToken.expiresAtMs, nowMs));
}

async function endIfUsedAgain(scope: TenantScope, hash: string, nowMs: number): Promise<void> {
  const [row] = await findToken(scope, hash);
  if (row === undefined || row.usedAtMs === null) return;
  await endFamily(scope, row, "session.reused", nowMs);
}

async function endFamily(
  scope: TenantScope,
  { familyId, userId }: { readonly familyId: string; readonly userId: string },
  action: string,
  nowMs: number,
): Promise<void> {
  const open = and(
    eq(refreshToken.tenantId, scope.tenantId),
    eq(refreshToken.familyId, familyId),
    isNull(refreshToken.revokedAtMs),
    isNull(refreshToken.usedAtMs),
  );
  const detail = { family: familyId };
  const entry = await auditRow(scope, { action, kind: "user", id: userId, detail }, nowMs);
  await scope.db.batch([
    recordedWhere(scope, entry, refreshToken, open),
    scope.db.update(refreshToken).set({ revokedAtMs: nowMs }).where(open),
  ]);
}

function findToken(scope: TenantScope, hash: string) {
  return scope.db
    .select()
    .from(refreshToken)
    .where(and(eq(refreshToken.tenantId, scope.tenantId), eq(refreshToken.tokenHash, hash)));
}

function newToken(): string {
  return REFRESH_PREFIX + newSecret();
}
