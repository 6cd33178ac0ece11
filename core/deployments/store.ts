/**
 * Deployments and what is live.
 *
 * S1  `queued → building → live → superseded`, `queued | building → failed`, `building →
 *     superseded`: each a guarded update, and its event is written where that update is found.
 * S2  A deployment and its outbox row are one batch: the row and the message cannot disagree.
 * S3  A generation is handed out once. A build, and a change of a provider, each has its own.
 * S4  What is live changes only to a higher generation and to a later deployment. A build whose
 *     generation was passed by a provider's change is `behind`, and is built again.
 * S5  Every function may be called again: a redelivered message changes nothing.
 */
import { type SQL, and, desc, eq, exists, gt, gte, inArray, lt, or, sql } from "drizzle-orm";
import { factsOf, oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import { auditRow, recordedWhere } from "../audit/store-record.ts";
import { rfc3339 } from "../clock.ts";
import { idAfter } from "../db/keyset.ts";
import { RESEND_MS, outbox } from "../db/outbox.ts";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { environmentExists, hasEnvironment } from "../environments/store.ts";
import { newId } from "../ids.ts";
import { type Page, type PageQuery, pageOf } from "../page.ts";
import { Problem, type ProblemData } from "../problem.ts";
import { runtimeObject } from "../runtime-objects/table.ts";
import { version } from "../versions/table.ts";
import type {
  Build,
  CreateDeployment,
  Deployment,
  DeploymentSummary,
  LiveAgent,
} from "./contract.ts";
import {
  changed,
  eventRows,
  eventsOf,
  moveEntry,
  one,
  pointerAt,
  recordedMove,
  transition,
} from "./store-transitions.ts";
import { type Spread, spreadOf } from "./store-homes.ts";
import { agentEnvironment, deployment, type deploymentEvent } from "./table.ts";

/** When to ask again for what is not live: about as long as a deployment takes. */
const NOT_DEPLOYED_MS = 5000;

/**
 * Ask for a version to be made live. The caller sends the message at once; cron sends it again
 * until the consumer has acknowledged (S2).
 *
 * @throws Problem `not_found` for the agent | `invalid` for a version or an environment it has not.
 */
export async function createDeployment(
  scope: TenantScope,
  agentId: string,
  input: CreateDeployment,
  nowMs: number,
): Promise<{ readonly deployment: Deployment; readonly outboxId: string }> {
  const { db, tenantId } = scope;
  const id = newId("deployment", nowMs);
  const outboxId = newId("event", nowMs);
  const fact = { action: "deployment.created", kind: "deployment", id };
  const entry = await auditRow(scope, { ...fact, detail: { agent: agentId, ...input } }, nowMs);
  const change = entry.id;
  const asked = and(oneAgent(scope, agentId), eq(agent.lastChangeId, change));
  const owner = db.select({ id: agent.id }).from(agent).where(asked);
  const sequence = db.select({ sequence: agent.deployments }).from(agent).where(asked);
  const numbered = db
    .select({ id: version.id })
    .from(version)
    .where(
      and(
        eq(version.tenantId, tenantId),
        eq(version.agentId, agent.id),
        eq(version.number, input.version),
      ),
    );
  const row = {
    tenantId,
    id,
    agentId: sql`${version.agentId}`,
    versionId: sql`${version.id}`,
    version: sql`${version.number}`,
    environment: input.environment,
    sequence: sql`${sequence}`,
    status: "queued" as const,
    error: null,
    generation: null,
    revision: 1,
    lastChangeId: change,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const wanted = and(
    eq(version.tenantId, tenantId),
    inArray(version.agentId, owner),
    eq(version.number, input.version),
  );
  const message = {
    tenantId,
    id: outboxId,
    kind: "deployment" as const,
    subject: id,
    attempts: 0,
    dueAtMs: nowMs + RESEND_MS,
    createdAtMs: nowMs,
  };
  const [, [made]] = await db.batch([
    db
      .update(agent)
      .set({ deployments: sql`${agent.deployments} + 1`, lastChangeId: change })
      .where(
        and(
          oneAgent(scope, agentId),
          exists(numbered),
          environmentExists(scope, input.environment),
        ),
      ),
    insertWhere(db, deployment, row, version, wanted).returning(),
    eventsOf(scope, change, "asked for", nowMs),
    insertWhere(db, outbox, message, deployment, one(scope, id)),
    recordedWhere(scope, entry, deployment, one(scope, id)),
  ]);
  if (made === undefined) throw await whyNot(scope, agentId, input);
  const queued = { atMs: nowMs, status: "queued" as const, detail: "asked for" };
  return { deployment: toDeployment(made, [queued]), outboxId };
}

/** @throws Problem `not_found` */
export async function getDeployment(scope: TenantScope, id: string): Promise<Deployment> {
  const { db } = scope;
  const [[row], events] = await db.batch([
    db.select().from(deployment).where(one(scope, id)),
    eventRows(scope, id),
  ]);
  if (row === undefined) throw new Problem("not_found", "no such deployment");
  return toDeployment(row, events);
}

/** Deployments of one agent, newest first. @throws Problem `not_found` for the agent */
export async function listDeployments(
  scope: TenantScope,
  agentId: string,
  page: PageQuery,
): Promise<Page<DeploymentSummary>> {
  const { db } = scope;
  const before = idAfter("deployment", page.cursor);
  const owner = db.select({ id: agent.id }).from(agent).where(oneAgent(scope, agentId));
  const [owners, rows] = await db.batch([
    owner,
    db
      .select()
      .from(deployment)
      .where(
        and(
          eq(deployment.tenantId, scope.tenantId),
          inArray(deployment.agentId, owner),
          before === undefined ? undefined : lt(deployment.id, before),
        ),
      )
      .orderBy(desc(deployment.id))
      .limit(page.limit + 1),
  ]);
  if (owners.length === 0) throw new Problem("not_found", "no such agent");
  return pageOf(rows.map(toSummary), page.limit, (row) => row.id);
}

/**
 * `queued → building`, with a generation of its own; also for a build that is under way (a
 * redelivered message goes on with the same generation) and for one that is `behind` (it gets a
 * new one).
 *
 * @returns  undefined when there is nothing to build: it is live, superseded or failed.
 * @throws Problem `not_found`
 */
export async function beginBuilding(
  scope: TenantScope,
  id: string,
  nowMs: number,
): Promise<Build | undefined> {
  const { db, tenantId } = scope;
  const { agentId, environment } = await placeOf(scope, id);
  const entry = await moveEntry(scope, "building", nowMs);
  const change = entry.id;
  const here = pointerAt(scope, agentId, environment);
  const passed = db
    .select({ agentId: agentEnvironment.agentId })
    .from(agentEnvironment)
    .where(and(here, gte(agentEnvironment.generation, deployment.generation)));
  const due = or(
    eq(deployment.status, "queued"),
    and(eq(deployment.status, "building"), exists(passed)),
  );
  const allocated = db
    .select({ allocated: agentEnvironment.allocated })
    .from(agentEnvironment)
    .where(and(here, eq(agentEnvironment.lastChangeId, change)));
  await db.batch([
    db
      .insert(agentEnvironment)
      .values({
        tenantId,
        agentId,
        environment,
        deploymentId: null,
        versionId: null,
        version: null,
        sequence: 0,
        generation: 0,
        allocated: 0,
        replicas: 1,
        lastChangeId: "",
        updatedAtMs: nowMs,
      })
      .onConflictDoNothing(),
    transition(scope, "building", change, nowMs, and(one(scope, id), due)),
    db
      .update(agentEnvironment)
      .set({ allocated: sql`${agentEnvironment.allocated} + 1`, lastChangeId: change })
      .where(and(here, changed(scope, id, change))),
    db
      .update(deployment)
      .set({ generation: sql`${allocated}` })
      .where(and(one(scope, id), eq(deployment.lastChangeId, change))),
    eventsOf(scope, change, "building", nowMs),
    recordedMove(scope, entry, "building", change),
  ]);
  return findBuild(scope, id);
}

/**
 * Swap the pointer to a build that every replica has installed: it becomes `live`, what was live
 * becomes `superseded`, in one batch.
 *
 * @returns  `live`, also when it was already; `superseded` when a later deployment is live, which
 *           is then this one's own status too; `behind` when a provider changed under the build
 *           (`beginBuilding` again); `gone` when it is no longer building for another reason.
 */
export async function finishLive(
  scope: TenantScope,
  build: Build,
  nowMs: number,
): Promise<"live" | "superseded" | "behind" | "gone"> {
  const { db } = scope;
  const { id, agent_id: agentId, environment } = build.deployment;
  const hold = newId("event", nowMs);
  const entry = await moveEntry(scope, "live", nowMs);
  const before = await moveEntry(scope, "superseded", nowMs);
  const spread = await spreadOf(scope, build);
  const change = entry.id;
  const mine = and(
    one(scope, id),
    eq(deployment.status, "building"),
    eq(deployment.generation, build.generation),
  );
  const held = and(mine, eq(deployment.lastChangeId, hold));
  const swapped = exists(
    db
      .select({ agentId: agentEnvironment.agentId })
      .from(agentEnvironment)
      .where(
        and(pointerAt(scope, agentId, environment), eq(agentEnvironment.lastChangeId, change)),
      ),
  );
  const liveBefore = and(
    eq(deployment.agentId, agentId),
    eq(deployment.environment, environment),
    eq(deployment.status, "live"),
  );
  await db.batch([
    // Its own row first: until this batch is through, Postgres lets nobody fail it meanwhile.
    db.update(deployment).set({ lastChangeId: hold }).where(mine),
    swapPointer(scope, build, spread, change, held, nowMs),
    transition(scope, "superseded", change, nowMs, and(liveBefore, swapped)),
    transition(scope, "live", change, nowMs, and(held, swapped)),
    eventsOf(scope, change, "pointer swapped", nowMs),
    recordedMove(scope, entry, "live", change),
    recordedMove(scope, before, "superseded", change),
  ]);
  return settleSwap(scope, build, nowMs);
}

/** `queued | building → failed`, with the problem; again, or too late, changes nothing. */
export async function failDeployment(
  scope: TenantScope,
  id: string,
  problem: ProblemData,
  nowMs: number,
): Promise<Deployment> {
  const open = and(one(scope, id), inArray(deployment.status, ["queued", "building"]));
  const entry = await moveEntry(scope, "failed", nowMs);
  const change = entry.id;
  await scope.db.batch([
    transition(scope, "failed", change, nowMs, open, problem),
    eventsOf(scope, change, problem.detail, nowMs),
    recordedMove(scope, entry, "failed", change),
  ]);
  return getDeployment(scope, id);
}

/**
 * Where an address leads.
 *
 * @returns  undefined when there is no such agent.
 * @throws Problem `not_deployed` when the agent exists and nothing is live in `environment`.
 */
export async function findLiveAgent(
  scope: TenantScope,
  idOrSlug: string,
  environment: string,
): Promise<LiveAgent | undefined> {
  const [row] = await scope.db
    .select({
      agentId: agent.id,
      slug: agent.slug,
      name: agent.name,
      generation: agentEnvironment.generation,
      version: agentEnvironment.version,
      replicas: agentEnvironment.replicas,
      homes: agentEnvironment.homes,
      tag: runtimeObject.tag,
      projectId: agent.projectId,
      tags: agent.tags,
      ownerId: agent.ownerId,
    })
    .from(agent)
    .leftJoin(
      agentEnvironment,
      and(
        eq(agentEnvironment.tenantId, agent.tenantId),
        eq(agentEnvironment.agentId, agent.id),
        eq(agentEnvironment.environment, environment),
      ),
    )
    .leftJoin(
      runtimeObject,
      and(
        eq(runtimeObject.tenantId, agent.tenantId),
        eq(runtimeObject.agentId, agent.id),
        eq(runtimeObject.environment, environment),
        eq(runtimeObject.replica, 0),
      ),
    )
    .where(oneAgent(scope, idOrSlug));
  if (row === undefined) return undefined;
  const { generation, version, replicas, tag, ...rest } = row;
  if (generation === null || version === null || replicas === null || tag === null) {
    throw new Problem("not_deployed", "no version is live in this environment", {
      retryAfterMs: NOT_DEPLOYED_MS,
    });
  }
  const facts = factsOf(scope.tenantId, row);
  return { ...rest, ...facts, environment, generation, version, replicas, tag };
}

/**
 * The pointer moves only forward (S4), and only to the deployment that `held` finds. One that
 * spreads its agent moves it only from what its homes were read of.
 */
function swapPointer(
  scope: TenantScope,
  build: Build,
  spread: Spread | undefined,
  change: string,
  held: SQL | undefined,
  nowMs: number,
) {
  const { id, agent_id: agentId, environment, version } = build.deployment;
  const holder = scope.db.select({ id: deployment.id }).from(deployment).where(held);
  return scope.db
    .update(agentEnvironment)
    .set({
      deploymentId: id,
      versionId: build.versionId,
      version,
      sequence: build.sequence,
      generation: build.generation,
      ...(spread && { replicas: build.replicas, homes: spread.homes }),
      lastChangeId: change,
      updatedAtMs: nowMs,
    })
    .where(
      and(
        pointerAt(scope, agentId, environment),
        spread && eq(agentEnvironment.sequence, spread.at),
        lt(agentEnvironment.generation, build.generation),
        lt(agentEnvironment.sequence, build.sequence),
        exists(holder),
      ),
    );
}

/** What became of the swap; a build that came after a later deployment is told so for good. */
async function settleSwap(
  scope: TenantScope,
  build: Build,
  nowMs: number,
): Promise<"live" | "superseded" | "behind" | "gone"> {
  const { db } = scope;
  const { id, agent_id: agentId, environment } = build.deployment;
  const entry = await moveEntry(scope, "superseded", nowMs);
  const change = entry.id;
  const later = db
    .select({ agentId: agentEnvironment.agentId })
    .from(agentEnvironment)
    .where(
      and(pointerAt(scope, agentId, environment), gt(agentEnvironment.sequence, build.sequence)),
    );
  const overtaken = and(one(scope, id), eq(deployment.status, "building"), exists(later));
  const [, , , [row]] = await db.batch([
    transition(scope, "superseded", change, nowMs, overtaken),
    eventsOf(scope, change, "a later deployment is live", nowMs),
    recordedMove(scope, entry, "superseded", change),
    db.select({ status: deployment.status }).from(deployment).where(one(scope, id)),
  ]);
  if (row?.status === "live" || row?.status === "superseded") return row.status;
  return row?.status === "building" ? "behind" : "gone";
}

async function findBuild(scope: TenantScope, id: string): Promise<Build | undefined> {
  const { db } = scope;
  const [[row], events] = await db.batch([
    db.select().from(deployment).where(one(scope, id)),
    eventRows(scope, id),
  ]);
  if (row?.status !== "building" || row.generation === null) return undefined;
  const { versionId, sequence, generation } = row;
  const [[pointer], [asked]] = await db.batch([
    db
      .select({ homes: agentEnvironment.homes })
      .from(agentEnvironment)
      .where(pointerAt(scope, row.agentId, row.environment)),
    db
      .select({ spec: version.spec })
      .from(version)
      .where(and(eq(version.tenantId, scope.tenantId), eq(version.id, versionId))),
  ]);
  const replicas = asked?.spec.replicas ?? 1;
  const objects = Math.max(replicas, pointer?.homes?.tags.length ?? 1);
  const build = { versionId, sequence, generation, replicas, objects };
  return { deployment: toDeployment(row, events), ...build };
}

/** Agent and environment of a deployment; they never change. @throws Problem `not_found` */
async function placeOf(scope: TenantScope, id: string) {
  const [row] = await scope.db
    .select({ agentId: deployment.agentId, environment: deployment.environment })
    .from(deployment)
    .where(one(scope, id));
  if (row === undefined) throw new Problem("not_found", "no such deployment");
  return row;
}

/** Why nothing was made; each answer is about what the caller named. */
async function whyNot(
  scope: TenantScope,
  agentId: string,
  input: CreateDeployment,
): Promise<Problem> {
  const [found] = await scope.db
    .select({ id: agent.id })
    .from(agent)
    .where(oneAgent(scope, agentId));
  if (found === undefined) return new Problem("not_found", "no such agent");
  const known = await hasEnvironment(scope, input.environment);
  const place = known
    ? { pointer: "/version", detail: "the agent has no such version" }
    : { pointer: "/environment", detail: "no such environment" };
  return new Problem("invalid", "there is nothing to deploy", { errors: [place] });
}

type EventRow = Pick<typeof deploymentEvent.$inferSelect, "atMs" | "status" | "detail">;

function toDeployment(
  row: typeof deployment.$inferSelect,
  events: readonly EventRow[],
): Deployment {
  return {
    ...toSummary(row),
    events: events.map(({ atMs, status, detail }) => ({ at: rfc3339(atMs), status, detail })),
  };
}

function toSummary(row: typeof deployment.$inferSelect): DeploymentSummary {
  return {
    id: row.id,
    agent_id: row.agentId,
    version: row.version,
    environment: row.environment,
    status: row.status,
    error: row.error && { code: row.error.code, detail: row.error.detail },
    created_at: rfc3339(row.createdAtMs),
    updated_at: rfc3339(row.updatedAtMs),
  };
}
