import {
  type SQL,
  and,
  asc,
  eq,
  exists,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNull,
  lte,
  ne,
  notExists,
  or,
  sql,
} from "drizzle-orm";
import { alias } from "drizzle-orm/sqlite-core";
import { holdTenant } from "../access/store-admins.ts";
import { auditRow, recordedIfChanged } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import { outbox } from "../db/outbox.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { bumpGenerations } from "../deployments/store-generations.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { newId } from "../ids.ts";
import { type Page, pageOf } from "../page.ts";
import { ownerOf } from "../principals/contract.ts";
import { Problem } from "../problem.ts";
import { DEFAULT_PROJECT, defaultProjectId } from "../projects/contract.ts";
import { findProjectId, projectStands } from "../projects/store.ts";
import { project as projects } from "../projects/table.ts";
import { tenant } from "../tenants/table.ts";
import { quotaExceeded, withinQuota } from "../tiers/store.ts";
import type { Agent, AgentListQuery, AgentPatch, CreateAgent, Draft } from "./contract.ts";
import { factsOf, liveAgents, oneAgent } from "./live.ts";
import { AgentSpec } from "./spec.ts";
import { agent, draft } from "./table.ts";

/**
 * Make an agent and its draft, both or none.
 *
 * The slug is claimed by the unique index over live rows; the draft is written only where the
 * agent's own new row is found.
 *
 * @throws Problem `already_exists` | `quota_exceeded` | `invalid` for a project the tenant has not
 */
export async function createAgent(
  scope: TenantScope,
  input: CreateAgent,
  nowMs: number,
): Promise<Agent> {
  const { db, tenantId } = scope;
  const row = {
    tenantId,
    id: newId("agent", nowMs),
    slug: input.slug,
    name: input.name,
    description: input.description,
    revision: 1,
    latestVersion: 0,
    deployments: 0,
    lastChangeId: "",
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    deletedAtMs: null,
    projectId: await keptProject(scope, input.project),
    tags: input.tags ?? null,
    ownerId: scope.by.kind === "system" ? null : ownerOf(scope.by),
    pausedAtMs: null,
  };
  const spec = input.spec ?? AgentSpec.parse({ kind: "llm" });
  const first = { tenantId, agentId: row.id, spec, revision: 1, updatedAtMs: nowMs };
  const fact = { action: "agent.created", kind: "agent", id: row.id };
  const entry = await auditRow(scope, { ...fact, after: { ...input, id: row.id, spec } }, nowMs);
  const mine = and(liveAgents(scope), eq(agent.id, row.id));
  const quota = withinQuota(scope, "agents");
  const values = { ...row, lastChangeId: entry.id };
  const stands = projectStands(scope, row.projectId);
  const ready = and(eq(tenant.id, tenantId), quota.room, stands);
  const [, [made]] = await db.batch([
    quota.hold,
    insertWhere(db, agent, values, tenant, ready).onConflictDoNothing().returning(),
    insertWhere(db, draft, first, agent, mine),
    recordedIfChanged(scope, entry, agent, mine),
  ]);
  if (made === undefined && (await slugHeld(scope, input.slug))) throw slugTaken();
  if (made === undefined) {
    await keptProject(scope, input.project); // throws when that is the reason
    throw await quotaExceeded(scope, "agents");
  }
  return toAgent(made, []);
}

/** @throws Problem `not_found` */
export async function getAgent(scope: TenantScope, idOrSlug: string): Promise<Agent> {
  const { db } = scope;
  const one = oneAgent(scope, idOrSlug);
  const id = db.select({ id: agent.id }).from(agent).where(one);
  const [[row], pointers] = await db.batch([
    db.select().from(agent).where(one),
    pointersOf(scope, inArray(agentEnvironment.agentId, id)),
  ]);
  if (row === undefined) throw noSuchAgent();
  return toAgent(row, pointers);
}

/** Live agents in the order they were made. A project that is not there gives an empty page. */
export async function listAgents(scope: TenantScope, page: AgentListQuery): Promise<Page<Agent>> {
  const after = idAfter("agent", page.cursor);
  const rows = await scope.db
    .select()
    .from(agent)
    .where(
      and(
        liveAgents(scope),
        after === undefined ? undefined : gt(agent.id, after),
        page.project === undefined ? undefined : inProject(scope, page.project),
        // Kept as JSON; a tag holds nothing that a pattern or JSON could mean.
        page.tag === undefined ? undefined : sql`${agent.tags} like ${`%"${page.tag}"%`}`,
      ),
    )
    .orderBy(asc(agent.id))
    .limit(page.limit + 1);
  const first = rows.at(0);
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return { data: [], next_cursor: null };
  // A range, not a list: a hundred ids would pass D1's bound parameters.
  const inPage = and(
    gte(agentEnvironment.agentId, first.id),
    lte(agentEnvironment.agentId, last.id),
  );
  const pointers = await pointersOf(scope, inPage);
  const agents = rows.map((row) =>
    toAgent(
      row,
      pointers.filter((pointer) => pointer.agentId === row.id),
    ),
  );
  return pageOf(agents, page.limit, (row) => row.id);
}

/**
 * Apply `patch` if the agent is still at `revision`; of two racing editors one wins.
 *
 * @throws Problem `not_found` | `version_conflict` | `already_exists` for a slug that is taken |
 *         `invalid` for a project the tenant has not
 */
export async function patchAgent(
  scope: TenantScope,
  id: string,
  revision: number,
  patch: AgentPatch,
  nowMs: number,
): Promise<Agent> {
  const { slug, name, description, project, tags } = patch;
  const before = await getAgent(scope, id);
  if (before.revision !== revision) throw stale("agent", revision);
  const changes = {
    ...(slug === undefined ? {} : { slug }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(project === undefined ? {} : { projectId: await keptProject(scope, project) }),
    ...(tags === undefined ? {} : { tags }),
  };
  const after = { ...before, ...patch, revision: revision + 1, updated_at: rfc3339(nowMs) };
  const fact = { action: "agent.updated", kind: "agent", id: before.id, before, after };
  const entry = await auditRow(scope, fact, nowMs);
  const one = oneAgent(scope, before.id);
  const changed = { ...changes, revision: revision + 1, updatedAtMs: nowMs };
  const stands = projectStands(scope, changes.projectId ?? null);
  const changedNow = and(one, eq(agent.lastChangeId, entry.id));
  const moved = and(
    eq(agentEnvironment.agentId, before.id),
    exists(scope.db.select({ id: agent.id }).from(agent).where(changedNow)),
  );
  const [, [row]] = await scope.db
    .batch([
      holdTenant(scope), // deleting a project does the same
      scope.db
        .update(agent)
        .set({ ...changed, lastChangeId: entry.id })
        .where(and(one, eq(agent.revision, revision), slugFree(scope, slug), stands))
        .returning({ id: agent.id }),
      // What of the tenant's limits, budgets and stops concerns it goes by its project.
      bumpGenerations(scope, project === undefined ? sql`1 = 0` : moved, nowMs),
      recordedIfChanged(scope, entry, agent, one),
    ])
    .catch(async (error: unknown) => {
      // On Postgres a racing rename may show only at the index. D1 runs one statement at a time.
      if (slug === undefined || !(await slugHeld(scope, slug))) throw error;
      return [[], []];
    });
  const found = await getAgent(scope, before.id); // throws not_found when that is the reason
  if (row !== undefined) return found;
  if (found.revision !== revision) throw stale("agent", revision);
  if (project !== undefined) await keptProject(scope, project); // throws when that is the reason
  throw slugTaken();
}

/**
 * Delete if still at `revision`. The row stays, so that its id and its ledger keep their meaning;
 * its slug is free at once.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function deleteAgent(
  scope: TenantScope,
  id: string,
  revision: number,
  nowMs: number,
): Promise<void> {
  const before = await getAgent(scope, id);
  const fact = { action: "agent.deleted", kind: "agent", id: before.id, before };
  const entry = await auditRow(scope, fact, nowMs);
  const gone = { deletedAtMs: nowMs, revision: revision + 1, updatedAtMs: nowMs };
  const itself = and(eq(agent.tenantId, scope.tenantId), eq(agent.id, before.id));
  const end: typeof outbox.$inferInsert = {
    tenantId: scope.tenantId,
    id: newId("event", nowMs),
    kind: "agent_end",
    subject: before.id,
    attempts: 0,
    dueAtMs: nowMs,
    createdAtMs: nowMs,
  };
  const [[row]] = await scope.db.batch([
    scope.db
      .update(agent)
      .set({ ...gone, lastChangeId: entry.id })
      .where(and(oneAgent(scope, before.id), eq(agent.revision, revision)))
      .returning({ id: agent.id }),
    recordedIfChanged(scope, entry, agent, itself), // no longer among the live ones
    insertWhere(scope.db, outbox, end, agent, and(itself, eq(agent.lastChangeId, entry.id))),
  ]);
  if (row !== undefined) return;
  await getAgent(scope, id); // throws not_found when that is the reason
  throw stale("agent", revision);
}

/** @throws Problem `not_found` */
export async function getDraft(scope: TenantScope, agentId: string): Promise<Draft> {
  const [row] = await scope.db
    .select(getTableColumns(draft))
    .from(draft)
    .innerJoin(agent, and(eq(agent.tenantId, draft.tenantId), eq(agent.id, draft.agentId)))
    .where(and(eq(draft.tenantId, scope.tenantId), oneAgent(scope, agentId)));
  if (row === undefined) throw noSuchAgent();
  return toDraft(row);
}

/**
 * Replace the draft if it is still at `revision`.
 *
 * @throws Problem `not_found` | `version_conflict`
 */
export async function putDraft(
  scope: TenantScope,
  agentId: string,
  revision: number,
  spec: AgentSpec,
  nowMs: number,
): Promise<Draft> {
  const before = await getDraft(scope, agentId);
  const after = { ...before, spec, revision: revision + 1, updated_at: rfc3339(nowMs) };
  const id = before.agent_id;
  const fact = { action: "draft.replaced", kind: "agent", id, before, after };
  const entry = await auditRow(scope, { ...fact, detail: { revision: after.revision } }, nowMs);
  const owner = scope.db.select({ id: agent.id }).from(agent).where(oneAgent(scope, id));
  const mine = and(eq(draft.tenantId, scope.tenantId), inArray(draft.agentId, owner));
  const [[row]] = await scope.db.batch([
    scope.db
      .update(draft)
      .set({ spec, revision: revision + 1, updatedAtMs: nowMs, lastChangeId: entry.id })
      .where(and(mine, eq(draft.revision, revision)))
      .returning(),
    recordedIfChanged(scope, entry, draft, mine),
  ]);
  if (row !== undefined) return toDraft(row);
  await getDraft(scope, agentId); // throws not_found when that is the reason
  throw stale("draft", revision);
}

type PointerRow = Pick<typeof agentEnvironment.$inferSelect, "agentId" | "environment" | "version">;

/** The pointers of the agents that `which` picks; version is null where nothing is live yet. */
function pointersOf(scope: TenantScope, which: SQL | undefined) {
  return scope.db
    .select({
      agentId: agentEnvironment.agentId,
      environment: agentEnvironment.environment,
      version: agentEnvironment.version,
    })
    .from(agentEnvironment)
    .where(and(eq(agentEnvironment.tenantId, scope.tenantId), which));
}

/** No other live agent has this slug; true when none is asked for. */
function slugFree(scope: TenantScope, slug: string | undefined): SQL | undefined {
  if (slug === undefined) return undefined;
  const other = alias(agent, "other");
  return notExists(
    scope.db
      .select({ id: other.id })
      .from(other)
      .where(
        and(
          eq(other.tenantId, scope.tenantId),
          eq(other.slug, slug),
          isNull(other.deletedAtMs),
          ne(other.id, agent.id),
        ),
      ),
  );
}

/** As the row keeps it: null for the default project. @throws Problem `invalid` */
async function keptProject(
  scope: TenantScope,
  idOrSlug: string | undefined,
): Promise<string | null> {
  if (idOrSlug === undefined) return null;
  const id = await findProjectId(scope, idOrSlug);
  return id === defaultProjectId(scope.tenantId) ? null : id;
}

function inProject({ db, tenantId }: TenantScope, idOrSlug: string): SQL | undefined {
  if (idOrSlug === DEFAULT_PROJECT || idOrSlug === defaultProjectId(tenantId)) {
    return isNull(agent.projectId);
  }
  const named = or(eq(projects.id, idOrSlug), eq(projects.slug, idOrSlug));
  const ids = db
    .select({ id: projects.id })
    .from(projects)
    .where(and(eq(projects.tenantId, tenantId), named));
  return inArray(agent.projectId, ids);
}

async function slugHeld(scope: TenantScope, slug: string): Promise<boolean> {
  const rows = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(and(liveAgents(scope), eq(agent.slug, slug)));
  return rows.length > 0;
}

function noSuchAgent(): Problem {
  return new Problem("not_found", "no such agent");
}

function slugTaken(): Problem {
  return new Problem("already_exists", "the slug is taken", {
    errors: [{ pointer: "/slug", detail: "taken" }],
  });
}

function stale(what: string, revision: number): Problem {
  return new Problem("version_conflict", `the ${what} is no longer at revision ${revision}`);
}

function toAgent(row: typeof agent.$inferSelect, pointers: readonly PointerRow[]): Agent {
  const { projectId, tags, ownerId } = factsOf(row.tenantId, row);
  const live = pointers.flatMap(({ environment, version }) =>
    version === null ? [] : [[environment, version] as const],
  );
  return {
    id: row.id,
    slug: row.slug,
    name: row.name,
    description: row.description,
    revision: row.revision,
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
    latest_version: row.latestVersion === 0 ? null : row.latestVersion,
    live: Object.fromEntries(live),
    project_id: projectId,
    tags: [...tags],
    owner_id: ownerId,
    paused_at: row.pausedAtMs === null ? null : rfc3339(row.pausedAtMs),
  };
}

function toDraft(row: typeof draft.$inferSelect): Draft {
  return {
    agent_id: row.agentId,
    revision: row.revision,
    updated_at: rfc3339(row.updatedAtMs),
    spec: row.spec,
  };
}
