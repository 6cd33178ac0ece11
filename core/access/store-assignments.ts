import { type SQL, and, asc, eq, exists, gt, inArray, isNull, notExists } from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import { appClient } from "../clients/table.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { isId, newId } from "../ids.ts";
import { member } from "../members/table.ts";
import { type Page, pageOf } from "../page.ts";
import type { Principal } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import type { Assignment, AssignmentListQuery, CreateAssignment, Role } from "./contract.ts";
import { grantsOf, type Held } from "./effective.ts";
import { administratorRemains, holdTenant, lastAdministrator } from "./store-admins.ts";
import { resolvePlace } from "./store-resolve.ts";
import { demandGivable, getRole, lifted } from "./store-roles.ts";
import { assignment, role } from "./table.ts";

type Row = typeof assignment.$inferSelect;

/**
 * Give a role, as far as the giver holds what it allows there.
 *
 * @throws Problem `invalid` for a principal, role or place the tenant has not, and an end that has
 *         passed | `forbidden` for more than the giver holds | `already_exists` | `conflict` for a
 *         role that denies, given to the last administrator
 */
export async function createAssignment(
  scope: TenantScope,
  principal: Principal,
  input: CreateAssignment,
  nowMs: number,
): Promise<Assignment> {
  const [wanted, place] = await Promise.all([
    knownRole(scope, input.role),
    resolvePlace(scope, input),
  ]);
  const expiresAtMs = input.expires_at === undefined ? null : Date.parse(input.expires_at);
  if (expiresAtMs !== null && expiresAtMs <= nowMs) throw invalid("/expires_at", "has passed");
  const row: Row = {
    tenantId: scope.tenantId,
    id: newId("assignment", nowMs),
    principalKind: input.principal.startsWith("usr_") ? "user" : "app_client",
    principalId: input.principal,
    role: wanted.slug,
    ...place,
    expiresAtMs,
    createdBy: principal.id,
    createdAtMs: nowMs,
  };
  const after = toAssignment(row);
  demandGivable(principal, grantsOf(heldBy(after, wanted.statements)), "/role");
  const fact = { action: "assignment.created", kind: "assignment", id: row.id, after };
  const entry = await auditRow(scope, fact, nowMs);
  const { db } = scope;
  const [, , , [made]] = await db.batch([
    holdTenant(scope),
    insertAssignment(scope, row, wanted),
    recordedWhere(scope, entry, assignment, oneAssignment(scope, row.id)),
    db.select({ id: assignment.id }).from(assignment).where(oneAssignment(scope, row.id)),
  ]);
  if (made === undefined) throw await whyNot(scope, row);
  return after;
}

/** In the order they were made. A role or principal that is not there gives an empty page. */
export async function listAssignments(
  scope: TenantScope,
  query: AssignmentListQuery,
): Promise<Page<Assignment>> {
  const after = idAfter("assignment", query.cursor);
  const rows = await scope.db
    .select()
    .from(assignment)
    .where(
      and(
        eq(assignment.tenantId, scope.tenantId),
        query.principal === undefined ? undefined : eq(assignment.principalId, query.principal),
        query.role === undefined ? undefined : inRole(scope, query.role),
        after === undefined ? undefined : gt(assignment.id, after),
      ),
    )
    .orderBy(asc(assignment.id))
    .limit(query.limit + 1);
  return pageOf(rows.map(toAssignment), query.limit, (row) => row.id);
}

/** @throws Problem `not_found` */
export async function getAssignment(scope: TenantScope, id: string): Promise<Assignment> {
  const [row] = await scope.db.select().from(assignment).where(oneAssignment(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such assignment");
  return toAssignment(row);
}

/**
 * Take a role away again.
 *
 * @throws Problem `not_found` | `conflict` for the last administrator's | `forbidden` where it
 *         gives more than the taker holds, or denies it: taking that away would give it
 */
export async function deleteAssignment(
  scope: TenantScope,
  principal: Principal,
  id: string,
  nowMs: number,
): Promise<void> {
  const before = await getAssignment(scope, id);
  const { statements } = await getRole(scope, before.role);
  demandGivable(principal, grantsOf(heldBy(before, statements)), "/role");
  demandGivable(principal, lifted(statements, []), "/role");
  const fact = { action: "assignment.deleted", kind: "assignment", id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const where = and(oneAssignment(scope, id), administratorRemains(scope, { assignmentGone: id }));
  const [, , [gone]] = await scope.db.batch([
    holdTenant(scope),
    recordedWhere(scope, entry, assignment, where),
    scope.db.delete(assignment).where(where).returning({ id: assignment.id }),
  ]);
  if (gone !== undefined) return;
  await getAssignment(scope, id); // throws not_found when that is the reason
  throw lastAdministrator();
}

function inRole({ db, tenantId }: TenantScope, idOrSlug: string): SQL | undefined {
  if (!isId("role", idOrSlug)) return eq(assignment.role, idOrSlug);
  const slugs = db
    .select({ slug: role.slug })
    .from(role)
    .where(and(eq(role.tenantId, tenantId), eq(role.id, idOrSlug)));
  return inArray(assignment.role, slugs);
}

function heldBy(made: Assignment, statements: Role["statements"]): Held {
  return {
    role: made.role,
    statements,
    assignment: made.id,
    projectId: made.project_id,
    environment: made.environment,
    agentId: made.agent_id,
    expiresAtMs: made.expires_at === null ? null : Date.parse(made.expires_at),
  };
}

/** Written where the principal and the role are there, and the very same is not. */
function insertAssignment(scope: TenantScope, row: Row, wanted: Role) {
  const { db, tenantId } = scope;
  const client = and(eq(appClient.tenantId, tenantId), eq(appClient.id, row.principalId));
  const user = and(eq(member.tenantId, tenantId), eq(member.userId, row.principalId));
  const roles = db
    .select({ id: role.id })
    .from(role)
    .where(and(eq(role.tenantId, tenantId), eq(role.slug, row.role)));
  const denies = wanted.statements.some(({ effect }) => effect === "deny");
  const ready = and(
    wanted.built_in ? undefined : exists(roles),
    notExists(sameAssignment(scope, row)),
    denies ? administratorRemains(scope, { userDenied: row.principalId }) : undefined,
  );
  return row.principalKind === "user"
    ? insertWhere(db, assignment, row, member, and(user, ready))
    : insertWhere(db, assignment, row, appClient, and(client, ready));
}

function sameAssignment({ db, tenantId }: TenantScope, row: Row) {
  const same = alias(assignment, "same");
  return db
    .select({ id: same.id })
    .from(same)
    .where(
      and(
        eq(same.tenantId, tenantId),
        eq(same.principalId, row.principalId),
        eq(same.role, row.role),
        row.projectId === null ? isNull(same.projectId) : eq(same.projectId, row.projectId),
        row.environment === null ? isNull(same.environment) : eq(same.environment, row.environment),
        row.agentId === null ? isNull(same.agentId) : eq(same.agentId, row.agentId),
        row.expiresAtMs === null ? isNull(same.expiresAtMs) : eq(same.expiresAtMs, row.expiresAtMs),
      ),
    );
}

/** Why nothing was written; each answer is about what the caller named. */
async function whyNot(scope: TenantScope, row: Row): Promise<Problem> {
  const { db, tenantId } = scope;
  const [same, members, clients] = await db.batch([
    sameAssignment(scope, row),
    db
      .select({ id: member.id })
      .from(member)
      .where(and(eq(member.tenantId, tenantId), eq(member.userId, row.principalId))),
    db
      .select({ id: appClient.id })
      .from(appClient)
      .where(and(eq(appClient.tenantId, tenantId), eq(appClient.id, row.principalId))),
  ]);
  if (same.length > 0) return new Problem("already_exists", "it has this role there already");
  if (members.length + clients.length === 0) {
    return invalid("/principal", "no member and no app client of this tenant");
  }
  return lastAdministrator();
}

/** @throws Problem `invalid` */
async function knownRole(scope: TenantScope, idOrSlug: string): Promise<Role> {
  try {
    return await getRole(scope, idOrSlug);
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found")
      throw invalid("/role", "no such role");
    throw error;
  }
}

function oneAssignment({ tenantId }: TenantScope, id: string): SQL | undefined {
  return and(eq(assignment.tenantId, tenantId), eq(assignment.id, id));
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer, detail }],
  });
}

function toAssignment(row: Row): Assignment {
  return {
    id: row.id,
    principal_kind: row.principalKind,
    principal_id: row.principalId,
    role: row.role,
    project_id: row.projectId,
    environment: row.environment,
    agent_id: row.agentId,
    expires_at: row.expiresAtMs === null ? null : rfc3339(row.expiresAtMs),
    created_by: row.createdBy,
    created_at: rfc3339(row.createdAtMs),
  };
}
