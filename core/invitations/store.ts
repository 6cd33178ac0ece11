import { type SQL, and, asc, eq, gt, or, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import { outbox } from "../db/outbox.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { owedMail } from "../mail/store.ts";
import { joiningWhere } from "../members/store-join.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import { notCreated, withinQuota } from "../tiers/store.ts";
import { user } from "../users/table.ts";
import { type CreateInvitation, INVITATION_MS, type Invitation } from "./contract.ts";
import { invitation } from "./table.ts";

type Row = typeof invitation.$inferSelect;

/** An invitation with the mail that is owed for it. */
export type Invited = { readonly invitation: Invitation; readonly mailId: string };

/**
 * Invite an address. What role the inviter may give is settled before.
 *
 * An open invitation of the address that has expired makes room.
 *
 * @throws Problem `already_exists` for who is a member, or has an invitation that still counts |
 *         `quota_exceeded`
 */
export async function createInvitation(
  scope: TenantScope,
  input: CreateInvitation,
  nowMs: number,
): Promise<Invited> {
  const { db, tenantId, by } = scope;
  const id = newId("invitation", nowMs);
  const fact = {
    action: "invitation.created",
    kind: "invitation",
    id,
    detail: { role: input.role },
  };
  const entry = await auditRow(scope, fact, nowMs);
  const mail = owedMail(tenantId, id, nowMs);
  const row: Row = {
    tenantId,
    id,
    ...input,
    status: "open",
    invitedBy: by.id,
    edition: 1,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + INVITATION_MS,
    lastChangeId: entry.id,
  };
  const known = sql`select 1 from ${user} where ${user.tenantId} = ${tenantId} and ${user.email} = ${input.email}`;
  const expired = and(
    eq(invitation.tenantId, tenantId),
    eq(invitation.email, input.email),
    eq(invitation.status, "open"),
    sql`${invitation.expiresAtMs} <= ${nowMs}`,
  );
  const quota = withinQuota(scope, "members");
  await db.batch([
    quota.hold,
    db.update(invitation).set({ status: "revoked" }).where(expired),
    quota.insert(invitation, row).onConflictDoNothing(),
    db.delete(invitation).where(and(one(scope, id), sql`exists (${known})`)),
    insertWhere(db, outbox, mail, invitation, one(scope, id)),
    recordedWhere(scope, entry, invitation, one(scope, id)),
  ]);
  const [made] = await db.select().from(invitation).where(one(scope, id));
  if (made === undefined) {
    const taken = new Problem("already_exists", "a member, or invited already", {
      errors: [{ pointer: "/email", detail: "a member, or invited already" }],
    });
    const open = sql`select 1 from ${invitation} where ${invitation.tenantId} = ${tenantId} and ${invitation.email} = ${input.email} and ${invitation.status} = 'open'`;
    const named = and(eq(tenant.id, tenantId), or(sql`exists (${known})`, sql`exists (${open})`));
    throw await notCreated(scope, "members", tenant, named, taken);
  }
  return { invitation: toInvitation(made, nowMs), mailId: mail.id };
}

/** Invitations in the order they were made, whatever became of them. */
export async function listInvitations(
  scope: TenantScope,
  page: PageQuery,
  nowMs: number,
): Promise<Page<Invitation>> {
  const after = idAfter("invitation", page.cursor);
  const rows = await scope.db
    .select()
    .from(invitation)
    .where(
      and(
        eq(invitation.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(invitation.id, after),
      ),
    )
    .orderBy(asc(invitation.id))
    .limit(page.limit + 1);
  const invitations = rows.map((row) => toInvitation(row, nowMs));
  return pageOf(invitations, page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getInvitation(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Invitation> {
  return toInvitation(await rowOf(scope, id), nowMs);
}

/**
 * Take it back; its link opens nothing any more. Again is no change.
 *
 * @throws Problem `not_found` | `conflict` when it was accepted.
 */
export async function revokeInvitation(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Invitation> {
  const entry = await auditRow(
    scope,
    { action: "invitation.revoked", kind: "invitation", id },
    nowMs,
  );
  await scope.db.batch([
    scope.db
      .update(invitation)
      .set({ status: "revoked", lastChangeId: entry.id })
      .where(and(one(scope, id), eq(invitation.status, "open"))),
    recordedIfChanged(scope, entry, invitation, one(scope, id)),
  ]);
  const row = await rowOf(scope, id);
  if (row.status === "accepted") throw new Problem("conflict", "it was accepted");
  return toInvitation(row, nowMs);
}

/**
 * Send it again, for a week more; the link that was sent before opens nothing any more.
 *
 * @throws Problem `not_found` | `conflict` when it is not open.
 */
export async function resendInvitation(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Invited> {
  const { db, tenantId } = scope;
  const entry = await auditRow(
    scope,
    { action: "invitation.resent", kind: "invitation", id },
    nowMs,
  );
  const mail = owedMail(tenantId, id, nowMs);
  const changed = and(one(scope, id), eq(invitation.lastChangeId, entry.id));
  await db.batch([
    db
      .update(invitation)
      .set({
        edition: sql`${invitation.edition} + 1`,
        expiresAtMs: nowMs + INVITATION_MS,
        lastChangeId: entry.id,
      })
      .where(and(one(scope, id), eq(invitation.status, "open"))),
    insertWhere(db, outbox, mail, invitation, changed),
    recordedIfChanged(scope, entry, invitation, one(scope, id)),
  ]);
  const row = await rowOf(scope, id);
  if (row.lastChangeId !== entry.id) throw new Problem("conflict", "it is not open any more");
  return { invitation: toInvitation(row, nowMs), mailId: mail.id };
}

/** An invitation that a link may accept, with what its token is made of. */
export async function findOpenInvitation(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Row | undefined> {
  const [row] = await scope.db
    .select()
    .from(invitation)
    .where(and(one(scope, id), eq(invitation.status, "open"), gt(invitation.expiresAtMs, nowMs)));
  return row;
}

/**
 * Become a member by an invitation whose link was just presented: user, membership and the
 * invitation's end in one batch, so of two that accept it one does.
 *
 * @returns  The new user's id; undefined when it was taken back or used meanwhile.
 */
export async function acceptInvitation(
  scope: TenantScope,
  { id, edition, email, role }: Pick<Row, "id" | "edition" | "email" | "role">,
  person: { readonly name: string; readonly passwordHash: string },
  nowMs: number,
): Promise<string | undefined> {
  const userId = newId("user", nowMs);
  const acting: TenantScope = { ...scope, by: { ...scope.by, kind: "user", id: userId } };
  const fact = { action: "invitation.accepted", kind: "invitation", id, detail: { user: userId } };
  const entry = await auditRow(acting, fact, nowMs);
  const accepted = and(one(scope, id), eq(invitation.lastChangeId, entry.id));
  const joining = { id: userId, email, role, ...person, verifiedAtMs: nowMs };
  const [[done]] = await scope.db.batch([
    scope.db
      .update(invitation)
      .set({ status: "accepted", lastChangeId: entry.id })
      .where(
        and(
          one(scope, id),
          eq(invitation.status, "open"),
          eq(invitation.edition, edition),
          gt(invitation.expiresAtMs, nowMs),
          sql`not exists (select 1 from ${user} where ${user.tenantId} = ${scope.tenantId} and ${user.email} = ${email})`,
        ),
      )
      .returning({ id: invitation.id }),
    ...joiningWhere(acting, joining, invitation, accepted, nowMs),
    recordedIfChanged(acting, entry, invitation, one(scope, id)),
  ]);
  return done === undefined ? undefined : userId;
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(invitation.tenantId, scope.tenantId), eq(invitation.id, id));
}

async function rowOf(scope: TenantScope, id: string): Promise<Row> {
  const [row] = await scope.db.select().from(invitation).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such invitation");
  return row;
}

function toInvitation(row: Row, nowMs: number): Invitation {
  const expired = row.status === "open" && row.expiresAtMs <= nowMs;
  return {
    id: row.id,
    email: row.email,
    role: row.role,
    status: expired ? "expired" : row.status,
    invited_by: row.invitedBy,
    created_at: rfc3339(row.createdAtMs),
    expires_at: rfc3339(row.expiresAtMs),
  };
}
