import { type SQL, and, eq, lte } from "drizzle-orm";
import { auditRow, recorded, recordedWhere } from "../audit/store-record.ts";
import { type PlatformScope, type TenantScope, actingAs } from "../db/scope.ts";
import { hashSecret, newSecret } from "../keys/format.ts";
import { CONSOLE_SESSION_MS, type ConsoleSession } from "./contract.ts";
import { consoleSession } from "./table.ts";

export type MadeSession = { readonly token: string; readonly expiresAtMs: number };

/** Whom a session stands for: a key that was just verified, or a user who just signed in. */
export type SessionOf = { readonly keyId: string } | { readonly userId: string };

/** Sign a browser in. The token is the cookie's value, once. */
export async function createConsoleSession(
  scope: TenantScope,
  of: SessionOf,
  nowMs: number,
): Promise<MadeSession> {
  const token = newSecret();
  const expiresAtMs = nowMs + CONSOLE_SESSION_MS;
  const [kind, id, keyId, userId] =
    "userId" in of ? ["user", of.userId, "", of.userId] : ["key", of.keyId, of.keyId, null];
  const entry = await auditRow(scope, { action: "session.begun", kind, id }, nowMs);
  await scope.db.batch([
    scope.db.insert(consoleSession).values({
      tenantId: scope.tenantId,
      tokenHash: await hashSecret(token),
      keyId,
      createdAtMs: nowMs,
      expiresAtMs,
      userId,
    }),
    recorded(scope, entry),
  ]);
  return { token, expiresAtMs };
}

/** The session of a token's hash, expired or not; the caller compares tenant and time. */
export async function findConsoleSession(
  platform: PlatformScope,
  tokenHash: string,
): Promise<ConsoleSession | undefined> {
  const [row] = await platform.db
    .select({
      tenantId: consoleSession.tenantId,
      keyId: consoleSession.keyId,
      userId: consoleSession.userId,
      createdAtMs: consoleSession.createdAtMs,
      expiresAtMs: consoleSession.expiresAtMs,
    })
    .from(consoleSession)
    .where(eq(consoleSession.tokenHash, tokenHash));
  return row;
}

/** Sign out, as whoever the session stands for; again is no error. */
export async function deleteConsoleSession(
  scope: TenantScope,
  tokenHash: string,
  nowMs: number,
): Promise<void> {
  const one = and(
    eq(consoleSession.tenantId, scope.tenantId),
    eq(consoleSession.tokenHash, tokenHash),
  );
  const [row] = await scope.db.select().from(consoleSession).where(one);
  if (row === undefined) return;
  const [kind, id] =
    row.userId === null ? (["key", row.keyId] as const) : (["user", row.userId] as const);
  const acting = actingAs(scope, { ...scope.by, kind, id });
  const entry = await auditRow(acting, { action: "session.ended", kind, id }, nowMs);
  await scope.db.batch([
    recordedWhere(scope, entry, consoleSession, one),
    scope.db.delete(consoleSession).where(one),
  ]);
}

/** All sessions of a user, as a statement of a batch. */
export function withoutSessionsOf(scope: TenantScope, userId: string, when?: SQL) {
  return scope.db
    .delete(consoleSession)
    .where(
      and(eq(consoleSession.tenantId, scope.tenantId), eq(consoleSession.userId, userId), when),
    );
}

/** Cron: forget what has expired. */
export async function deleteExpiredConsoleSessions(
  platform: PlatformScope,
  nowMs: number,
): Promise<void> {
  await platform.db.delete(consoleSession).where(lte(consoleSession.expiresAtMs, nowMs));
}
