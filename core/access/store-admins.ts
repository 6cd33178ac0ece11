/**
 * The last administrator cannot be removed.
 *
 * An administrator is a member who holds the role `admin`, by membership or by an assignment that
 * is neither narrowed nor ends, and no role that denies anything.
 *
 * M1  The rule stands in the WHERE of each change that could break it (`administratorRemains`).
 * M2  The batch of such a change begins with `holdTenant`: of racing changes on Postgres the second
 *     waits and then sees what the first did. D1 runs one statement at a time anyway.
 * M3  Where there is none, nothing is held up: the tenant's keys can make one again.
 */
import { type SQL, and, eq, exists, isNull, ne, notExists, or, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import type { TenantScope } from "../db/scope.ts";
import { member } from "../members/table.ts";
import { Problem } from "../problem.ts";
import { tenant } from "../tenants/table.ts";
import { assignment, role } from "./table.ts";

/** What is about to be taken away or added. */
export type AccessChange =
  /** The member goes, with all it has. */
  | { readonly userGone: string }
  /** The member's own role becomes another one, which denies something or not. */
  | { readonly userGets: string; readonly denies: boolean }
  | { readonly assignmentGone: string }
  /** The user is assigned a role that denies something. */
  | { readonly userDenied: string }
  /** The role, by slug, denies something from now on. */
  | { readonly roleDenies: string };

/** Assignments and roles of the member that is looked at. */
const held = alias(assignment, "held");
const denying = alias(role, "denying");

/** First in the batch of every change that the rule is asked for. */
export function holdTenant({ db, tenantId }: TenantScope) {
  return db
    .update(tenant)
    .set({ revision: sql`${tenant.revision}` })
    .where(eq(tenant.id, tenantId));
}

/** A condition for the changing statement: an administrator is left, or there was none. */
export function administratorRemains(scope: TenantScope, change: AccessChange): SQL | undefined {
  return or(exists(administrators(scope, change)), notExists(administrators(scope)));
}

/** The refusal of a change that found the rule in its way. */
export function lastAdministrator(): Problem {
  return new Problem("conflict", "the tenant would be left without an administrator");
}

/** Members who are administrators, as the change will leave them. */
function administrators(scope: TenantScope, change?: AccessChange) {
  const whole = and(
    eq(held.role, "admin"),
    isNull(held.projectId),
    isNull(held.environment),
    isNull(held.agentId),
    isNull(held.expiresAtMs),
  );
  const assigned = (which: SQL | undefined) =>
    exists(
      scope.db
        .select({ id: held.id })
        .from(held)
        .where(and(ofMember(scope, change), which)),
    );
  return scope.db
    .select({ id: member.id })
    .from(member)
    .where(
      and(
        eq(member.tenantId, scope.tenantId),
        outright(change),
        or(and(staysAsIs(change), eq(member.role, "admin")), assigned(whole)),
        notExists(denyingRoles(scope, change, (slug) => assigned(eq(held.role, slug)))),
      ),
    );
}

/** Assignments of the member that the change leaves. */
function ofMember({ tenantId }: TenantScope, change: AccessChange | undefined): SQL | undefined {
  const gone = change !== undefined && "assignmentGone" in change ? change.assignmentGone : null;
  return and(
    eq(held.tenantId, tenantId),
    eq(held.principalKind, "user"),
    eq(held.principalId, member.userId),
    gone === null ? undefined : ne(held.id, gone),
  );
}

/** Roles of the member's that deny something. */
function denyingRoles(
  { db, tenantId }: TenantScope,
  change: AccessChange | undefined,
  assigned: (slug: typeof denying.slug) => SQL,
) {
  const denies = eq(denying.denies, 1);
  const soon = change !== undefined && "roleDenies" in change ? change.roleDenies : null;
  return db
    .select({ id: denying.id })
    .from(denying)
    .where(
      and(
        eq(denying.tenantId, tenantId),
        soon === null ? denies : or(denies, eq(denying.slug, soon)),
        or(and(staysAsIs(change), eq(denying.slug, member.role)), assigned(denying.slug)),
      ),
    );
}

/** Members that the change takes out of the count, whatever else they have. */
function outright(change: AccessChange | undefined): SQL | undefined {
  if (change === undefined) return undefined;
  if ("userGone" in change) return ne(member.userId, change.userGone);
  if ("userDenied" in change) return ne(member.userId, change.userDenied);
  if ("userGets" in change && change.denies) return ne(member.userId, change.userGets);
  return undefined;
}

/** Members whose own role the change leaves as it is. */
function staysAsIs(change: AccessChange | undefined): SQL | undefined {
  return change !== undefined && "userGets" in change
    ? ne(member.userId, change.userGets)
    : sql`1 = 1`;
}
