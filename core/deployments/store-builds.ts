/** A build: where it begins, with a generation of its own (S3), and where it fails. */
import { and, eq, exists, gte, inArray, or, sql } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { Problem, type ProblemData } from "../problem.ts";
import { version } from "../versions/table.ts";
import type { Build, Deployment } from "./contract.ts";
import { getDeployment, toDeployment } from "./store-reads.ts";
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
import { agentEnvironment, deployment } from "./table.ts";

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
