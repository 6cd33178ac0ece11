/** What mailed links confirm: written with the mail that is owed, used up with what it changes. */
import { type SQL, and, eq, gt, isNull, lte, sql } from "drizzle-orm";
import { outbox } from "../db/outbox.ts";
import type { Db, PlatformScope, TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { owedMail } from "../mail/store.ts";
import { user } from "../users/table.ts";
import { CONFIRMATION_MS, type Confirmation, type ConfirmationPurpose } from "./contract.ts";
import { confirmation } from "./table.ts";

/** A confirmation's row and the mail that is owed for it, not written yet. */
export function newConfirmation(
  tenantId: string,
  of: {
    readonly purpose: ConfirmationPurpose;
    readonly email: string;
    readonly userId?: string;
    readonly name?: string;
    readonly passwordHash?: string;
  },
  nowMs: number,
) {
  const id = newId("confirmation", nowMs);
  const row: typeof confirmation.$inferInsert = {
    tenantId,
    id,
    ...of,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + CONFIRMATION_MS[of.purpose],
  };
  return { row, mail: owedMail(tenantId, id, nowMs) };
}

/**
 * Somebody wants to become a user. Written alike whether the address has an account or not: what
 * the mail says is settled when it is sent. Returns the id of the mail that is owed.
 */
export async function requestRegistration(
  scope: TenantScope,
  of: { readonly email: string; readonly name: string; readonly passwordHash: string },
  nowMs: number,
): Promise<string> {
  const purpose = "registration" as const;
  const { row, mail } = newConfirmation(scope.tenantId, { purpose, ...of }, nowMs);
  await scope.db.batch([
    scope.db.insert(confirmation).values(row),
    scope.db.insert(outbox).values(mail),
  ]);
  return mail.id;
}

/**
 * Somebody asks for a new password for an address. The same statements whether it has an account or
 * not; without one they write nothing. Returns the id of the mail that is then owed.
 */
export async function requestReset(
  scope: TenantScope,
  email: string,
  nowMs: number,
): Promise<string> {
  const { db, tenantId } = scope;
  const { row, mail } = newConfirmation(tenantId, { purpose: "reset", email }, nowMs);
  const known = and(eq(user.tenantId, tenantId), eq(user.email, email));
  await db.batch([
    insertWhere(db, confirmation, { ...row, userId: sql`${user.id}` }, user, known),
    insertWhere(db, outbox, mail, user, known),
  ]);
  return mail.id;
}

/** The confirmation a link leads to, if it still counts. */
export async function findConfirmation(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Confirmation | undefined> {
  const [row] = await scope.db
    .select()
    .from(confirmation)
    .where(and(open(scope, id), gt(confirmation.expiresAtMs, nowMs)));
  return row;
}

/** Use it up, as a statement of a batch: of two that use it one does, and none unless `when`. */
export function usedUp(
  scope: TenantScope,
  id: string,
  changeId: string,
  nowMs: number,
  when?: SQL,
) {
  return scope.db
    .update(confirmation)
    .set({ usedAtMs: nowMs, lastChangeId: changeId })
    .where(and(open(scope, id), when))
    .returning({ id: confirmation.id });
}

/** True for statements of the batch in which `usedUp` with this change did its work. */
export function usedBy(scope: TenantScope, id: string, changeId: string): SQL {
  return sql`exists (select 1 from ${confirmation} where ${confirmation.tenantId} = ${scope.tenantId} and ${confirmation.id} = ${id} and ${confirmation.lastChangeId} = ${changeId})`;
}

/** Every other open link of a user's, as a statement of a batch: a new password ends them. */
export function withoutLinksOf(scope: TenantScope, userId: string, nowMs: number) {
  return scope.db
    .update(confirmation)
    .set({ usedAtMs: nowMs })
    .where(
      and(
        eq(confirmation.tenantId, scope.tenantId),
        eq(confirmation.userId, userId),
        isNull(confirmation.usedAtMs),
      ),
    );
}

/** All of a user's, as a statement of a batch: the user is going. */
export function withoutConfirmationsOf(scope: TenantScope, userId: string, when?: SQL) {
  return scope.db
    .delete(confirmation)
    .where(and(eq(confirmation.tenantId, scope.tenantId), eq(confirmation.userId, userId), when));
}

/** Cron: forget those that count no more. */
export async function deleteExpiredConfirmations(
  platform: PlatformScope,
  nowMs: number,
): Promise<void> {
  await platform.db.delete(confirmation).where(lte(confirmation.expiresAtMs, nowMs));
}

/** A confirmation and its mail where `where` finds a row of `from`: in the batch of what it is for. */
export function confirmationWhere(
  db: Db,
  made: ReturnType<typeof newConfirmation>,
  from: Parameters<typeof insertWhere>[3],
  where: SQL | undefined,
) {
  return [
    insertWhere(db, confirmation, made.row, from, where),
    insertWhere(db, outbox, made.mail, from, where),
  ] as const;
}

function open(scope: TenantScope, id: string): SQL | undefined {
  return and(
    eq(confirmation.tenantId, scope.tenantId),
    eq(confirmation.id, id),
    isNull(confirmation.usedAtMs),
  );
}
