import { and, asc, eq, gt } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
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
  const rows = await scope.db
    .select({
      id: member.id,
      user_id: member.userId,
      email: user.email,
      name: user.name,
      role: member.role,
      createdAtMs: member.createdAtMs,
    })
    .from(member)
    .innerJoin(user, and(eq(user.tenantId, member.tenantId), eq(user.id, member.userId)))
    .where(
      and(
        eq(member.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(member.id, after),
      ),
    )
    .orderBy(asc(member.id))
    .limit(page.limit + 1);
  const members = rows.map((row) => ({
    id: row.id,
    user_id: row.user_id,
    email: row.email,
    name: row.name,
    role: row.role,
    created_at: rfc3339(row.createdAtMs),
  }));
  return pageOf(members, page.limit, (row) => row.id);
}
