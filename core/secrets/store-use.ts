import { and, eq, isNull, lt, or } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { secret } from "./table.ts";

/** A call of this agent carried the secret. An older word never replaces a newer one. */
export async function noteUse(
  scope: TenantScope,
  secretId: string,
  agentId: string,
  atMs: number,
): Promise<void> {
  await scope.db
    .update(secret)
    .set({ lastUsedAtMs: atMs, lastUsedBy: agentId })
    .where(
      and(
        eq(secret.tenantId, scope.tenantId),
        eq(secret.id, secretId),
        or(isNull(secret.lastUsedAtMs), lt(secret.lastUsedAtMs, atMs)),
      ),
    );
}
