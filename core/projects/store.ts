import { type SQL, and, asc, eq, exists, gt, isNull, notExists, or } from "drizzle-orm";
import { holdTenant } from "../access/store-admins.ts";
import { agent } from "../agents/table.ts";
import { auditRow, recordedIfChanged, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import type { TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem } from "../problem.ts";
import { notCreated, withinQuota } from "../tiers/store.ts";
import {
  type CreateProject,
  DEFAULT_PROJECT,
  defaultProjectId,
  type Project,
  type ProjectPatch,
} from "./contract.ts";
import { project } from "./table.ts";

/** The row of the default project, for provisioning. */
export function firstProject(tenantId: string, nowMs: number): typeof project.$inferInsert {
  return {
    tenantId,
    id: defaultProjectId(tenantId),
    slug: DEFAULT_PROJECT,
    name: "Default",
    description: "",
    revision: 1,
    lastChangeId: "",
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
}

/** @throws Problem `already_exists` | `quota_exceeded` */
export async function createProject(
  scope: TenantScope,
  input: CreateProject,
  nowMs: number,
): Promise<Project> {
  if (input.slug === DEFAULT_PROJECT) throw slugTaken();
  const id = newId("project", nowMs);
  const row = {
    tenantId: scope.tenantId,
    id,
    ...input,
    revision: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const after = toProject(row);
  const entry = await auditRow(
    scope,
    { action: "project.created", kind: "project", id, after },
    nowMs,
  );
  const quota = withinQuota(scope, "projects");
  const [, [made]] = await scope.db.batch([
    quota.hold,
    quota
      .insert(project, { ...row, lastChangeId: entry.id })
      .onConflictDoNothing()
      .returning({ id: project.id }),
    recordedWhere(scope, entry, project, oneProject(scope, id)),
  ]);
  if (made !== undefined) return after;
  const named = and(eq(project.tenantId, scope.tenantId), eq(project.slug, input.slug));
  throw await notCreated(scope, "projects", project, named, slugTaken());
}

/** In the order they were made; the default one is the first. */
export async function listProjects(
  scope: TenantScope,
  page: PageQuery,
  nowMs: number,
): Promise<Page<Project>> {
  const after = idAfter("project", page.cursor);
  const rows = () =>
    scope.db
      .select()
      .from(project)
      .where(
        and(
          eq(project.tenantId, scope.tenantId),
          after === undefined ? undefined : gt(project.id, after),
        ),
      )
      .orderBy(asc(project.id))
      .limit(page.limit + 1);
  let found = await rows();
  const first = defaultProjectId(scope.tenantId);
  if (after === undefined && !found.some(({ id }) => id === first)) {
    await ensureDefault(scope, nowMs);
    found = await rows();
  }
  return pageOf(found.map(toProject), page.limit, (row) => row.id);
}

/** By id or slug. @throws Problem `not_found` */
export async function getProject(
  scope: TenantScope,
  idOrSlug: string,
  nowMs: number,
): Promise<Project> {
  const rows = () => scope.db.select().from(project).where(oneProject(scope, idOrSlug));
  let [row] = await rows();
  if (row === undefined && isDefault(scope, idOrSlug)) {
    await ensureDefault(scope, nowMs);
    [row] = await rows();
  }
  if (row === undefined) throw new Problem("not_found", "no such project");
  return toProject(row);
}

/**
 * Change a project if it is still at `revision`. The default one keeps its slug.
 *
 * @throws Problem `not_found` | `version_conflict` | `already_exists` | `conflict`
 */
export async function patchProject(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: ProjectPatch,
  nowMs: number,
): Promise<Project> {
  const before = await getProject(scope, id, nowMs);
  const { slug = before.slug, name = before.name, description = before.description } = patch;
  if (slug !== before.slug && isDefault(scope, before.id)) {
    throw new Problem("conflict", "the default project keeps its slug");
  }
  const change = { slug, name, description };
  const after = { ...before, ...change, revision: revision + 1, updated_at: rfc3339(nowMs) };
  const fact = { action: "project.changed", kind: "project", id: before.id, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneProject(scope, before.id);
  const [[row]] = await scope.db
    .batch([
      scope.db
        .update(project)
        .set({ ...change, revision: revision + 1, lastChangeId: entry.id, updatedAtMs: nowMs })
        .where(and(one, eq(project.revision, revision)))
        .returning(),
      recordedIfChanged(scope, entry, project, one),
    ])
    .catch(async (error: unknown) => {
      // A slug that is taken shows at the unique index, in either engine's words.
      if (slug === before.slug || !(await slugHeld(scope, slug))) throw error;
      throw slugTaken();
    });
  if (row !== undefined) return toProject(row);
  await getProject(scope, before.id, nowMs); // throws not_found when that is the reason
  throw stale(revision);
}

/**
 * Delete if still at `revision` and no agent is in it.
 *
 * @throws Problem `not_found` | `version_conflict` | `conflict` for the default one, and while it
 *         has agents
 */
export async function deleteProject(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getProject(scope, id, nowMs);
  if (isDefault(scope, before.id)) {
    throw new Problem("conflict", "the default project stays");
  }
  const fact = { action: "project.deleted", kind: "project", id: before.id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const where = and(
    oneProject(scope, before.id),
    eq(project.revision, revision),
    notExists(agentsIn(scope, before.id)),
  );
  const [, , [gone]] = await scope.db.batch([
    holdTenant(scope), // an agent's creation does the same
    recordedWhere(scope, entry, project, where),
    scope.db.delete(project).where(where).returning({ id: project.id }),
  ]);
  if (gone !== undefined) return;
  const found = await getProject(scope, before.id, nowMs); // throws not_found when that is the reason
  if (found.revision !== revision) throw stale(revision);
  throw new Problem("conflict", "the project has agents");
}

/**
 * Id of a project by id or slug, without a look at the default one.
 *
 * @throws Problem `invalid` at `/project`
 */
export async function findProjectId(scope: TenantScope, idOrSlug: string): Promise<string> {
  if (isDefault(scope, idOrSlug)) return defaultProjectId(scope.tenantId);
  const [row] = await scope.db
    .select({ id: project.id })
    .from(project)
    .where(oneProject(scope, idOrSlug));
  if (row !== undefined) return row.id;
  throw noSuchProject();
}

/** The refusal of a request that names a project the tenant has not. */
export function noSuchProject(): Problem {
  return new Problem("invalid", "the request does not fit its schema", {
    errors: [{ pointer: "/project", detail: "no such project" }],
  });
}

/** A condition for other statements: the project is there. The default one always is. */
export function projectStands(scope: TenantScope, id: string | null): SQL | undefined {
  if (id === null || isDefault(scope, id)) return undefined;
  return exists(scope.db.select({ id: project.id }).from(project).where(oneProject(scope, id)));
}

/** Of all agents that are not deleted. */
function agentsIn({ db, tenantId }: TenantScope, id: string) {
  return db
    .select({ id: agent.id })
    .from(agent)
    .where(and(eq(agent.tenantId, tenantId), eq(agent.projectId, id), isNull(agent.deletedAtMs)));
}

/** Tenants older than projects get theirs when somebody looks. */
async function ensureDefault(scope: TenantScope, nowMs: number): Promise<void> {
  await scope.db.insert(project).values(firstProject(scope.tenantId, nowMs)).onConflictDoNothing();
}

async function slugHeld(scope: TenantScope, slug: string): Promise<boolean> {
  const rows = await scope.db
    .select({ id: project.id })
    .from(project)
    .where(and(eq(project.tenantId, scope.tenantId), eq(project.slug, slug)));
  return rows.length > 0;
}

function isDefault({ tenantId }: TenantScope, idOrSlug: string): boolean {
  return idOrSlug === DEFAULT_PROJECT || idOrSlug === defaultProjectId(tenantId);
}

function oneProject({ tenantId }: TenantScope, idOrSlug: string): SQL | undefined {
  const named = or(eq(project.id, idOrSlug), eq(project.slug, idOrSlug));
  return and(eq(project.tenantId, tenantId), named);
}

function slugTaken(): Problem {
  return new Problem("already_exists", "the slug is taken", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
}

function stale(revision: number): Problem {
  return new Problem("version_conflict", `the project is no longer at revision ${revision}`);
}

function toProject(row: Omit<typeof project.$inferSelect, "tenantId" | "lastChangeId">): Project {
  const { id, slug, name, description, revision } = row;
  return {
    id,
    slug,
    name,
    description,
    revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
