import { auditRow, recordedWhere } from "../audit/store-record.ts";
import type { Confirmation } from "../confirmations/contract.ts";
import { findConfirmation, usedBy, usedUp } from "../confirmations/store.ts";
import { confirmation } from "../confirmations/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { quotaExceeded, withinQuota } from "../tiers/store.ts";
import { user } from "../users/table.ts";
import { and, eq, sql } from "drizzle-orm";
import { joiningWhere } from "./store-join.ts";

/**
 * Somebody who registered came back by the link: now there is a user. Of two that use the link one
 * does, an address that got an account meanwhile gets no second one, and the tier must have room.
 */
export async function confirmRegistration(
  scope: TenantScope,
  link: Confirmation,
  role: string,
  nowMs: number,
): Promise<boolean> {
  const { email, name, passwordHash } = link;
  if (name === null) return false;
  const id = newId("user", nowMs);
  const acting: TenantScope = { ...scope, by: { ...scope.by, kind: "user", id } };
  const entry = await auditRow(acting, { action: "user.registered", kind: "user", id }, nowMs);
  const used = and(
    eq(confirmation.tenantId, scope.tenantId),
    eq(confirmation.id, link.id),
    usedBy(scope, link.id, entry.id),
    sql`not exists (select 1 from ${user} where ${user.tenantId} = ${scope.tenantId} and ${user.email} = ${email})`,
  );
  const quota = withinQuota(scope, "members");
  const joining = { id, email, name, role, passwordHash, verifiedAtMs: nowMs };
  const one = and(eq(user.tenantId, scope.tenantId), eq(user.id, id));
  await scope.db.batch([
    quota.hold,
    usedUp(scope, link.id, entry.id, nowMs, quota.room),
    ...joiningWhere(acting, joining, confirmation, used, nowMs),
    recordedWhere(acting, entry, user, one),
  ]);
  const [made] = await scope.db.select({ id: user.id }).from(user).where(one);
  if (made !== undefined) return true;
  // Not used up: then there was no room, and the link still counts when there is.
  const unused = await findConfirmation(scope, link.id, nowMs);
  if (unused !== undefined) throw await quotaExceeded(scope, "members");
  return false;
}
