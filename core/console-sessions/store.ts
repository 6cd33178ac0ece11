import { type SQL, and, eq, lte } from "drizzle-orm";
import { auditRow, recorded } from "../audit/store-record.ts";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
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

/** Sign out; again is no error. */
export async function deleteConsoleSession(scope: TenantScope, tokenHash: string): Promise<void> {
  await scope.db
    .delete(consoleSession)
    .where(
      and(eq(consoleSession.tenantId, scope.tenantId), eq(consoleSession.tokenHash, tokenHash)),
    );
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
