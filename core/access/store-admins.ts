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
import { type SQL, and, eq, exists, isNull, ne, not, notExists, or, sql } from "drizzle-orm";
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

function administrators(scope: TenantScope, change?: AccessChange) {
  const { db, tenantId } = scope;
  const held = alias(assignment, "held");
  const denying = alias(role, "denying");
  const ofMember = and(
    eq(held.tenantId, tenantId),
    eq(held.principalKind, "user"),
    eq(held.principalId, member.userId),
    change !== undefined && "assignmentGone" in change
      ? ne(held.id, change.assignmentGone)
      : undefined,
  );
  const stays = staysAsIs(change);
  const assigned = (which: SQL | undefined) =>
    exists(db.select({ id: held.id }).from(held).where(and(ofMember, which)));
  const whole = and(
    eq(held.role, "admin"),
    isNull(held.projectId),
    isNull(held.environment),
    isNull(held.agentId),
    isNull(held.expiresAtMs),
  );
  const denies =
    change !== undefined && "roleDenies" in change
      ? or(eq(denying.denies, 1), eq(denying.slug, change.roleDenies))
      : eq(denying.denies, 1);
  const hasDenying = exists(
    db
      .select({ id: denying.id })
      .from(denying)
      .where(
        and(
          eq(denying.tenantId, tenantId),
          denies,
          or(and(stays, eq(denying.slug, member.role)), assigned(eq(held.role, denying.slug))),
        ),
      ),
  );
  return db
    .select({ id: member.id })
    .from(member)
    .where(
      and(
        eq(member.tenantId, tenantId),
        outright(change),
        or(and(stays, eq(member.role, "admin")), assigned(whole)),
        not(hasDenying),
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
