/** The swap of the pointer to a finished build, and what becomes of a build that was overtaken (S4). */
import { type SQL, and, eq, exists, gt, lt } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { newId } from "../ids.ts";
import type { Build } from "./contract.ts";
import { type Spread, spreadOf } from "./store-homes.ts";
import {
  eventsOf,
  moveEntry,
  one,
  pointerAt,
  recordedMove,
  transition,
} from "./store-transitions.ts";
import { agentEnvironment, deployment } from "./table.ts";

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
