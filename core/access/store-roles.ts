import { type SQL, and, asc, eq, gt, notExists, or, sql } from "drizzle-orm";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { invitation } from "../invitations/table.ts";
import { issuer } from "../issuers/table.ts";
import { canonical } from "../json/canonical.ts";
import { member } from "../members/table.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { beyond } from "../principals/beyond.ts";
import type { Principal } from "../principals/contract.ts";
import type { Conditions } from "../principals/grants.ts";
import { Problem, type ProblemPlace } from "../problem.ts";
import { ssoConnection } from "../sso/table.ts";
import { builtIn, builtInRoles } from "./built-in.ts";
import type { CreateRole, Role, RolePatch, Statement } from "./contract.ts";
import { scopesOf } from "./scopes.ts";
import { administratorRemains, holdTenant, lastAdministrator } from "./store-admins.ts";
import { resolveStatements } from "./store-resolve.ts";
import { assignment, role } from "./table.ts";

/**
 * A role of the tenant's own, of statements that its maker could be held to.
 *
 * @throws Problem `already_exists` | `forbidden` for more than the maker holds | `invalid`
 */
export async function createRole(
  scope: TenantScope,
  principal: Principal,
  input: CreateRole,
  nowMs: number,
): Promise<Role> {
  if (builtIn(input.slug) !== undefined) throw slugTaken();
  const statements = await resolveStatements(scope, input.statements);
  demandGivable(principal, statements);
  const id = newId("role", nowMs);
  const { slug, name, description } = input;
  const row = {
    tenantId: scope.tenantId,
    id,
    slug,
    name,
    description,
    statements,
    denies: deniesOf(statements),
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const after = toRole(row);
  const entry = await auditRow(scope, { action: "role.created", kind: "role", id, after }, nowMs);
  const [[made]] = await scope.db.batch([
    scope.db
      .insert(role)
      .values({ ...row, lastChangeId: entry.id })
      .onConflictDoNothing()
      .returning({ id: role.id }),
    recordedWhere(scope, entry, role, oneRole(scope, id)),
  ]);
  if (made === undefined) throw slugTaken();
  return after;
}

/** Built-in roles on the first page, then the tenant's own in the order they were made. */
export async function listRoles(scope: TenantScope, page: PageQuery): Promise<Page<Role>> {
  const after = idAfter("role", page.cursor);
  const rows = await scope.db
    .select()
    .from(role)
    .where(
      and(eq(role.tenantId, scope.tenantId), after === undefined ? undefined : gt(role.id, after)),
    )
    .orderBy(asc(role.id))
    .limit(page.limit + 1);
  const own = pageOf(rows.map(toRole), page.limit, (row) => row.id);
  return after === undefined ? { ...own, data: [...builtInRoles(), ...own.data] } : own;
}

/** By id or slug, built-in ones too. @throws Problem `not_found` */
export async function getRole(scope: TenantScope, idOrSlug: string): Promise<Role> {
  const known = builtIn(idOrSlug);
  if (known !== undefined) return known;
  const [row] = await scope.db.select().from(role).where(oneRole(scope, idOrSlug));
  if (row === undefined) throw new Problem("not_found", "no such role");
  return toRole(row);
}

/**
 * Change a role if it is still at `revision`; who holds it holds what it then says.
 *
 * @throws Problem `not_found` | `version_conflict` | `forbidden` where it allows, before or after,
 *         more than the changer holds, and for a denial lifted from what the changer lacks | `conflict` for a built-in
 *         role and for a denial that would leave no administrator
 */
export async function patchRole(
  scope: TenantScope,
  principal: Principal,
  {
    id,
    revision,
    patch,
  }: { readonly id: string; readonly revision: number; readonly patch: RolePatch },
  nowMs: number,
): Promise<Role> {
  const before = await getRole(scope, id);
  if (before.built_in) throw isBuiltIn();
  const { statements: wanted, ...named } = patch;
  const statements = wanted === undefined ? undefined : await resolveStatements(scope, wanted);
  if (statements !== undefined) {
    demandGivable(principal, before.statements, "/statements"); // no stronger one's to change
    demandGivable(principal, statements);
    demandGivable(principal, lifted(before.statements, statements), "/statements");
  }
  const change = {
    ...(named.name === undefined ? {} : { name: named.name }),
    ...(named.description === undefined ? {} : { description: named.description }),
    ...(statements === undefined ? {} : { statements, denies: deniesOf(statements) }),
  };
  const after = { ...before, ...change, revision: revision + 1, updated_at: rfc3339(nowMs) };
  const fact = { action: "role.changed", kind: "role", id: before.id, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneRole(scope, before.id);
  const remains =
    change.denies === 1 ? administratorRemains(scope, { roleDenies: before.slug }) : undefined;
  const [, [row]] = await scope.db.batch([
    holdTenant(scope),
    scope.db
      .update(role)
      .set({ ...change, revision: revision + 1, lastChangeId: entry.id, updatedAtMs: nowMs })
      .where(and(one, eq(role.revision, revision), remains))
      .returning(),
    recordedIfChanged(scope, entry, role, one),
  ]);
  if (row !== undefined) return toRole(row);
  const found = await getRole(scope, before.id); // throws not_found when that is the reason
  throw found.revision === revision ? lastAdministrator() : stale(revision);
}

/**
 * Delete if still at `revision` and nobody holds it.
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` for a built-in role and for one
 *         that members, assignments or open invitations have
 */
export async function deleteRole(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getRole(scope, id);
  if (before.built_in) throw isBuiltIn();
  const fact = { action: "role.deleted", kind: "role", id: before.id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const where = and(
    oneRole(scope, before.id),
    eq(role.revision, revision),
    unheld(scope, before.slug, nowMs),
  );
  const [, , [gone]] = await scope.db.batch([
    holdTenant(scope),
    recordedWhere(scope, entry, role, where),
    scope.db.delete(role).where(where).returning({ id: role.id }),
  ]);
  if (gone !== undefined) return;
  const found = await getRole(scope, before.id); // throws not_found when that is the reason
  if (found.revision !== revision) throw stale(revision);
  throw new Problem(
    "conflict",
    "the role is held by members, assignments, open invitations or ways to sign in",
  );
}

/** A statement as much as giving it needs. */
type Given = {
  readonly effect: Statement["effect"];
  readonly scopes: readonly string[];
  readonly when?: Conditions | undefined;
};

/**
 * What the statements allow, under their conditions, is the principal's to give.
 *
 * @param pointer  What in the request led to them; `/statements/…` when absent.
 * @throws Problem `forbidden` with the places that go too far
 */
export function demandGivable(
  principal: Principal,
  statements: readonly Given[],
  pointer?: string,
): void {
  const errors = statements.flatMap(({ effect, scopes, when }, index): ProblemPlace[] => {
    if (effect === "deny") return []; // takes away: there is nothing to hold
    const tooMuch = beyond(principal, [...new Set(scopes.flatMap(scopesOf))], when);
    if (tooMuch.length === 0) return [];
    const detail = `more than you hold: ${tooMuch.join(" ")}`;
    return [{ pointer: pointer ?? `/statements/${index}`, detail }];
  });
  if (errors.length === 0) return;
  throw new Problem("forbidden", "nobody gives more than they hold", { errors });
}

/** Lifting a denial gives what it denied: as statements that allow just that. */
export function lifted(
  before: readonly Statement[],
  after: readonly Statement[],
): readonly Statement[] {
  const kept = new Set(after.map(canonical));
  return before
    .filter((statement) => statement.effect === "deny" && !kept.has(canonical(statement)))
    .map(({ scopes, when }) => ({ effect: "allow", scopes, when }));
}

/** 1 when a statement of them denies. */
function deniesOf(statements: readonly Statement[]): number {
  return statements.some(({ effect }) => effect === "deny") ? 1 : 0;
}

function oneRole({ tenantId }: TenantScope, idOrSlug: string): SQL | undefined {
  return and(eq(role.tenantId, tenantId), or(eq(role.id, idOrSlug), eq(role.slug, idOrSlug)));
}

function unheld({ db, tenantId }: TenantScope, slug: string, nowMs: number): SQL | undefined {
  const members = db
    .select({ id: member.id })
    .from(member)
    .where(and(eq(member.tenantId, tenantId), eq(member.role, slug)));
  const assignments = db
    .select({ id: assignment.id })
    .from(assignment)
    .where(and(eq(assignment.tenantId, tenantId), eq(assignment.role, slug)));
  // Who accepts would hold a name that somebody may give to a wider role.
  const invitations = db
    .select({ id: invitation.id })
    .from(invitation)
    .where(
      and(
        eq(invitation.tenantId, tenantId),
        eq(invitation.role, slug),
        eq(invitation.status, "open"),
        gt(invitation.expiresAtMs, nowMs),
      ),
    );
  const granting = [issuer, ssoConnection].map((table) =>
    notExists(
      db
        .select({ id: table.id })
        .from(table)
        .where(and(eq(table.tenantId, tenantId), namesRole(table, slug))),
    ),
  );
  return and(notExists(members), notExists(assignments), notExists(invitations), ...granting);
}

/** By its default or by a rule; a slug has no character that JSON or LIKE would change. */
function namesRole(table: typeof issuer | typeof ssoConnection, slug: string): SQL | undefined {
  return or(
    eq(table.defaultRole, slug),
    sql`cast(${table.mappings} as text) like ${`%"role":"${slug}"%`}`,
  );
}

function slugTaken(): Problem {
  return new Problem("already_exists", "the slug is taken", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
}

function isBuiltIn(): Problem {
  return new Problem("conflict", "a built-in role cannot be changed");
}

function stale(revision: number): Problem {
  return new Problem("version_conflict", `the role is no longer at revision ${revision}`);
}

function toRole(row: Omit<typeof role.$inferSelect, "tenantId" | "denies" | "lastChangeId">): Role {
  const { id, slug, name, description, statements, revision } = row;
  return {
    id,
    slug,
    name,
    description,
    built_in: false,
    statements: [...statements],
    revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
