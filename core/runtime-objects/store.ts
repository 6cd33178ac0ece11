import { and, asc, eq, gt, gte, lt } from "drizzle-orm";
import type { PlatformScope, TenantScope } from "../db/scope.ts";
import { type FillRandom, newTag } from "../ids.ts";
import { agentEnvironment } from "../deployments/table.ts";
import { runtimeObject } from "./table.ts";

/** An AgentRuntime inside its tenant. */
export type ObjectPlace = {
  readonly agentId: string;
  readonly environment: string;
  readonly replica: number;
};

/** The object that owns a tag, or undefined. Another tenant's tag is never found. */
export async function findObjectByTag(
  scope: TenantScope,
  tag: string,
): Promise<ObjectPlace | undefined> {
  const [row] = await scope.db
    .select({
      agentId: runtimeObject.agentId,
      environment: runtimeObject.environment,
      replica: runtimeObject.replica,
    })
    .from(runtimeObject)
    .where(and(eq(runtimeObject.tenantId, scope.tenantId), eq(runtimeObject.tag, tag)));
  return row;
}

/**
 * The tag of an object, allocated the first time it is asked for and never changed.
 *
 * The insert claims both the tag and the place; when it misses, either the place has a tag already
 * (which is read) or the tag is another object's (and another one is drawn).
 *
 * @param fill  Randomness; a test hands in one that collides.
 */
export async function ensureTag(
  scope: TenantScope,
  place: ObjectPlace,
  nowMs: number,
  fill?: FillRandom,
): Promise<string> {
  const { db, tenantId } = scope;
  const here = and(
    eq(runtimeObject.tenantId, tenantId),
    eq(runtimeObject.agentId, place.agentId),
    eq(runtimeObject.environment, place.environment),
    eq(runtimeObject.replica, place.replica),
  );
  // 30 random bits: with a thousand objects a draw collides once in a million times.
  for (let draw = 0; draw < 8; draw += 1) {
    const tag = newTag(fill);
    const [, [row]] = await db.batch([
      db
        .insert(runtimeObject)
        .values({ tenantId, tag, ...place, createdAtMs: nowMs })
        .onConflictDoNothing(),
      db.select({ tag: runtimeObject.tag }).from(runtimeObject).where(here),
    ]);
    if (row !== undefined) return row.tag;
  }
  throw new Error("no free tag in eight draws");
}

/** The tenant's objects in the order of their tags, behind `after`; of one agent, when said. */
export async function listObjects(
  scope: TenantScope,
  { after, agentId }: { readonly after?: string | undefined; readonly agentId?: string },
  limit: number,
): Promise<readonly (ObjectPlace & { readonly tag: string })[]> {
  return scope.db
    .select({
      tag: runtimeObject.tag,
      agentId: runtimeObject.agentId,
      environment: runtimeObject.environment,
      replica: runtimeObject.replica,
    })
    .from(runtimeObject)
    .where(
      and(
        eq(runtimeObject.tenantId, scope.tenantId),
        after === undefined ? undefined : gt(runtimeObject.tag, after),
        agentId === undefined ? undefined : eq(runtimeObject.agentId, agentId),
      ),
    )
    .orderBy(asc(runtimeObject.tag))
    .limit(limit);
}

/** An AgentRuntime, whose tenant is not settled yet: for cron alone. */
export type TenantObject = ObjectPlace & {
  readonly tenantId: string;
  /** Of what is live there; null where nothing ever was. */
  readonly generation: number | null;
};

/** Up to `limit` objects of any tenant with tags from `start` and before `end` (absent: to the last). */
export async function listObjectsByTag(
  platform: PlatformScope,
  tags: { readonly start: string; readonly end?: string | undefined },
  limit: number,
): Promise<readonly TenantObject[]> {
  const { start, end } = tags;
  return platform.db
    .select({
      tenantId: runtimeObject.tenantId,
      agentId: runtimeObject.agentId,
      environment: runtimeObject.environment,
      replica: runtimeObject.replica,
      generation: agentEnvironment.generation,
    })
    .from(runtimeObject)
    .leftJoin(
      agentEnvironment,
      and(
        eq(agentEnvironment.tenantId, runtimeObject.tenantId),
        eq(agentEnvironment.agentId, runtimeObject.agentId),
        eq(agentEnvironment.environment, runtimeObject.environment),
      ),
    )
    .where(
      and(
        gte(runtimeObject.tag, start),
        end === undefined ? undefined : lt(runtimeObject.tag, end),
      ),
    )
    .orderBy(asc(runtimeObject.tag))
    .limit(limit);
}
