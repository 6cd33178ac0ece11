/**
 * A kill switch on its way to the objects it concerns. Each takes up what is live now before it
 * answers, and ends what the stop holds; one that could not be told is told by the next sweep, and
 * accepts nothing meanwhile that the edge knows better of.
 */
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { listObjects } from "../../core/runtime-objects/store.ts";
import type { Stop } from "../../core/stops/contract.ts";
import { stopReached, unreachedStops } from "../../core/stops/store.ts";
import { runtimeOf } from "../api/runtime.ts";
import { logFault } from "./batch.ts";

/** Objects told side by side. */
const WAVE = 100;
/** Stops taken up by one sweep. */
const SWEPT = 100;

type Thrown = Pick<Stop, "id" | "level" | "subject">;

/** Tell every object that it can concern; once all know it is marked as reached. */
export async function reachObjects(
  env: Env,
  scope: TenantScope,
  stop: Thrown,
  nowMs: number,
): Promise<void> {
  const { tenantId } = scope;
  const agent = stop.level === "agent" && stop.subject !== null ? { agentId: stop.subject } : {};
  let after: string | undefined;
  let missed = 0;
  for (;;) {
    const objects = await listObjects(scope, { after, ...agent }, WAVE);
    const told = await Promise.allSettled(
      objects.map(async ({ agentId, environment, replica }) => {
        const owner = { tenantId, agentId, environment, replica };
        await runtimeOf(env, owner).obey(owner);
      }),
    );
    missed += told.filter(({ status }) => status === "rejected").length;
    after = objects.at(-1)?.tag;
    if (objects.length < WAVE) break;
  }
  if (missed === 0) await stopReached(scope, stop.id, nowMs);
}

/** Cron: the stops that some object may not know of. */
export async function reachStops(env: Env, platform: PlatformScope, nowMs: number): Promise<void> {
  for (const stop of await unreachedStops(platform, SWEPT)) {
    try {
      await reachObjects(env, tenantScope(platform, stop.tenantId), stop, nowMs);
    } catch (error) {
      logFault("a stop will be told again", error);
    }
  }
}
