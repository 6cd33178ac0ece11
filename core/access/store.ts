import { and, eq } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { member } from "../members/table.ts";
import { builtIn } from "./built-in.ts";
import type { Access, AssigneeKind, Statement } from "./contract.ts";
import { accessFrom, type Held } from "./effective.ts";
import { assignment, role } from "./table.ts";

/**
 * What a user or an app client may: the role of a user's membership and every assignment, with
 * what each is narrowed to. An end by time is a condition in it, so it may be kept for a moment.
 *
 * @returns  undefined for a user who is no member. An app client that nobody assigned anything
 *           has access to nothing; whether it exists is for its own noun to say.
 */
export async function findAccess(
  scope: TenantScope,
  kind: AssigneeKind,
  id: string,
): Promise<Access | undefined> {
  const { db, tenantId } = scope;
  const [memberships, assigned] = await db.batch([
    db
      .select({ role: member.role, statements: role.statements })
      .from(member)
      .leftJoin(role, and(eq(role.tenantId, member.tenantId), eq(role.slug, member.role)))
      .where(and(eq(member.tenantId, tenantId), eq(member.userId, id))),
    db
      .select({
        role: assignment.role,
        statements: role.statements,
        assignment: assignment.id,
        projectId: assignment.projectId,
        environment: assignment.environment,
        agentId: assignment.agentId,
        expiresAtMs: assignment.expiresAtMs,
      })
      .from(assignment)
      .leftJoin(role, and(eq(role.tenantId, assignment.tenantId), eq(role.slug, assignment.role)))
      .where(
        and(
          eq(assignment.tenantId, tenantId),
          eq(assignment.principalKind, kind),
          eq(assignment.principalId, id),
        ),
      )
      .orderBy(assignment.id),
  ]);
  if (kind === "user" && memberships.length === 0) return undefined;
  return accessFrom([
    ...memberships.map((row): Held => ({
      role: row.role,
      statements: statementsOf(row),
      assignment: null,
    })),
    ...assigned.map((row) => Object.assign(row, { statements: statementsOf(row) })),
  ]);
}

/** A role that is neither built in nor there any more holds nothing. */
function statementsOf(row: {
  readonly role: string;
  readonly statements: readonly Statement[] | null;
}): readonly Statement[] {
  return row.statements ?? builtIn(row.role)?.statements ?? [];
}
