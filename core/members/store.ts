import { type SQL, and, asc, eq, gt, isNull, sql } from "drizzle-orm";
import type { Role } from "../access/contract.ts";
import { administratorRemains, holdTenant, lastAdministrator } from "../access/store-admins.ts";
import { assignment } from "../access/table.ts";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { withoutConfirmationsOf } from "../confirmations/store.ts";
import { withoutSessionsOf } from "../console-sessions/store.ts";
import { key } from "../keys/table.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { withoutFamiliesOf } from "../refresh/store.ts";
import { ssoIdentity } from "../sso/table.ts";
import { user } from "../users/table.ts";
import type { Member } from "./contract.ts";
import { member } from "./table.ts";

/** What a user's credentials rest on: that it is a member, as what, and since when. */
export type Membership = {
  readonly tenantId: string;
  readonly userId: string;
  readonly role: string;
  /** Credentials begun before are over. */
  readonly sessionsFromMs: number | null;
};

/** A user's place in the tenant; undefined for who is no member, or no more. */
export async function findMembership(
  scope: TenantScope,
  userId: string,
): Promise<Membership | undefined> {
  const [row] = await scope.db
    .select({
      tenantId: member.tenantId,
      userId: member.userId,
      role: member.role,
      sessionsFromMs: user.sessionsFromMs,
    })
    .from(member)
    .innerJoin(user, and(eq(user.tenantId, member.tenantId), eq(user.id, member.userId)))
    .where(and(eq(member.tenantId, scope.tenantId), eq(member.userId, userId)));
  return row;
}

/** Members in the order they joined. */
export async function listMembers(scope: TenantScope, page: PageQuery): Promise<Page<Member>> {
  const after = idAfter("member", page.cursor);
  const rows = await selected(scope)
    .where(
      and(
        eq(member.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(member.id, after),
      ),
    )
    .orderBy(asc(member.id))
    .limit(page.limit + 1);
  return pageOf(rows.map(toMember), page.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getMember(scope: TenantScope, id: string): Promise<Member> {
  const [row] = await selected(scope).where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such member");
  return toMember(row);
}

/**
 * Give a member another role, if it is still at `revision`. What the caller may give, and whether
 * there is such a role, is settled before.
 *
 * The last administrator stays one, exactly (core/access/store-admins.ts).
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` for the last administrator
 */
export async function patchMember(
  scope: TenantScope,
  id: string,
  revision: number,
  { slug: role, statements }: Pick<Role, "slug" | "statements">,
  nowMs: number,
): Promise<Member> {
  const before = await getMember(scope, id);
  const denies = statements.some(({ effect }) => effect === "deny");
  const after = { ...before, role, revision: revision + 1 };
  const detail = { role };
  const fact = { action: "member.changed", kind: "member", id, before, after, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const [, [changed]] = await scope.db.batch([
    holdTenant(scope),
    scope.db
      .update(member)
      .set({ role, revision: revision + 1, lastChangeId: entry.id })
      .where(
        and(
          one(scope, id),
          atRevision(revision),
          administratorRemains(scope, { userGets: before.user_id, denies }),
        ),
      )
      .returning({ id: member.id }),
    recordedIfChanged(scope, entry, member, one(scope, id)),
  ]);
  if (changed !== undefined) return after;
  return missed(scope, id, revision);
}

/**
 * Remove a member, if it is still at `revision`: the user goes too, with every session, refresh
 * family, open link and assignment, and its personal keys are revoked.
 *
 * @returns  The id of the user that is gone.
 * @throws Problem `not_found` | `version_conflict` | `conflict` for the last administrator
 */
export async function removeMember(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<string> {
  const before = await getMember(scope, id);
  const userId = before.user_id;
  const detail = { user: userId };
  const fact = { action: "member.removed", kind: "member", id, before, detail };
  const entry = await auditRow(scope, fact, nowMs);
  const removable = and(
    one(scope, id),
    atRevision(revision),
    administratorRemains(scope, { userGone: userId }),
  );
  const [, , [removed]] = await scope.db.batch([
    holdTenant(scope),
    recordedWhere(scope, entry, member, removable),
    scope.db.delete(member).where(removable).returning({ id: member.id }),
    scope.db
      .delete(user)
      .where(and(eq(user.tenantId, scope.tenantId), eq(user.id, userId), gone(scope, userId))),
    ...leftovers(scope, userId, nowMs),
  ]);
  if (removed !== undefined) return userId;
  return missed(scope, id, revision);
}

function selected(scope: TenantScope) {
  return scope.db
    .select({ member, email: user.email, name: user.name, verifiedAtMs: user.verifiedAtMs })
    .from(member)
    .innerJoin(user, and(eq(user.tenantId, member.tenantId), eq(user.id, member.userId)));
}

function one(scope: TenantScope, id: string): SQL | undefined {
  return and(eq(member.tenantId, scope.tenantId), eq(member.id, id));
}

function atRevision(revision: number): SQL {
  return sql`coalesce(${member.revision}, 1) = ${revision}`;
}

/** True in the batch that removed the user's membership, behind it. */
function gone(scope: TenantScope, userId: string): SQL {
  return sql`not exists (select 1 from ${member} where tenant_id = ${scope.tenantId} and user_id = ${userId})`;
}

/** What a user leaves behind, if it is gone. */
function leftovers(scope: TenantScope, userId: string, nowMs: number) {
  const left = gone(scope, userId);
  const { db, tenantId } = scope;
  const mine = and(eq(key.tenantId, tenantId), eq(key.ownerId, userId), isNull(key.revokedAtMs));
  return [
    withoutSessionsOf(scope, userId, left),
    withoutFamiliesOf(scope, userId, nowMs, left),
    withoutConfirmationsOf(scope, userId, left),
    db.update(key).set({ revokedAtMs: nowMs }).where(and(mine, left)),
    db
      .delete(ssoIdentity)
      .where(and(eq(ssoIdentity.tenantId, tenantId), eq(ssoIdentity.userId, userId), left)),
    db
      .delete(assignment)
      .where(and(eq(assignment.tenantId, tenantId), eq(assignment.principalId, userId), left)),
  ] as const;
}

/** Why a change found nothing to change. */
async function missed(scope: TenantScope, id: string, revision: number): Promise<never> {
  const found = await getMember(scope, id); // throws not_found when that is the reason
  if (found.revision !== revision) {
    throw new Problem("version_conflict", `the member is no longer at revision ${revision}`);
  }
  throw lastAdministrator();
}

function toMember(row: Awaited<ReturnType<typeof selected>>[number]): Member {
  return {
    id: row.member.id,
    user_id: row.member.userId,
    email: row.email,
    name: row.name,
    verified: row.verifiedAtMs !== null,
    role: row.member.role,
    revision: row.member.revision ?? 1,
    created_at: rfc3339(row.member.createdAtMs),
  };
}
