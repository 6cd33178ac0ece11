/**
 * Browsers on their way to a provider and back.
 *
 * W1  A way is of one browser, one connection, one use: the row is deleted by the statement that
 *     finds it, and found only by the right cookie. Another browser's attempt uses nothing up.
 */
import { and, eq, gt, lte } from "drizzle-orm";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { SIGN_IN_MS } from "./contract.ts";
import { ssoSignIn } from "./table.ts";

/** What names a way: hashes of `state` and of the browser's cookie. */
export type Way = {
  readonly stateHash: string;
  readonly browserHash: string;
  readonly connectionId: string;
};

export async function beginSignIn(
  scope: TenantScope,
  way: Way,
  returnTo: string,
  nowMs: number,
): Promise<void> {
  await scope.db.insert(ssoSignIn).values({
    tenantId: scope.tenantId,
    ...way,
    returnTo,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + SIGN_IN_MS,
  });
}

/** The way that leads back here, used up (W1); undefined when there is none. */
export async function takeSignIn(
  scope: TenantScope,
  { stateHash, browserHash, connectionId }: Way,
  nowMs: number,
): Promise<{ readonly returnTo: string } | undefined> {
  const [row] = await scope.db
    .delete(ssoSignIn)
    .where(
      and(
        eq(ssoSignIn.tenantId, scope.tenantId),
        eq(ssoSignIn.stateHash, stateHash),
        eq(ssoSignIn.browserHash, browserHash),
        eq(ssoSignIn.connectionId, connectionId),
        gt(ssoSignIn.expiresAtMs, nowMs),
      ),
    )
    .returning({ returnTo: ssoSignIn.returnTo });
  return row;
}

/** Cron: forget who never came back. */
export async function deleteExpiredSignIns(platform: PlatformScope, nowMs: number): Promise<void> {
  await platform.db.delete(ssoSignIn).where(lte(ssoSignIn.expiresAtMs, nowMs));
}
