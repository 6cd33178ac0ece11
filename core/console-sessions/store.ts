import { and, eq, lte } from "drizzle-orm";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { hashSecret, newSecret } from "../keys/format.ts";
import { CONSOLE_SESSION_MS, type ConsoleSession } from "./contract.ts";
import { consoleSession } from "./table.ts";

/** Sign a browser in with a key that was just verified. The token is the cookie's value, once. */
export async function createConsoleSession(
  scope: TenantScope,
  keyId: string,
  nowMs: number,
): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
  const token = newSecret();
  const expiresAtMs = nowMs + CONSOLE_SESSION_MS;
  await scope.db.insert(consoleSession).values({
    tenantId: scope.tenantId,
    tokenHash: await hashSecret(token),
    keyId,
    createdAtMs: nowMs,
    expiresAtMs,
  });
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

/** Cron: forget what has expired. */
export async function deleteExpiredConsoleSessions(
  platform: PlatformScope,
  nowMs: number,
): Promise<void> {
  await platform.db.delete(consoleSession).where(lte(consoleSession.expiresAtMs, nowMs));
}
