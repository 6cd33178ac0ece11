import { and, asc, eq } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { runtimeObject } from "../runtime-objects/table.ts";
import type { Build } from "./contract.ts";
import { type Homes, homesAfter } from "./homes.ts";
import { pointerAt } from "./store-transitions.ts";
import { agentEnvironment } from "./table.ts";

/** What a swap makes of the pointer's homes, and the place in the order they were read at. */
export type Spread = { readonly homes: Homes | null; readonly at: number };

/** Undefined for an agent that has one replica and never had more. */
export async function spreadOf(scope: TenantScope, build: Build): Promise<Spread | undefined> {
  if (build.objects === 1) return undefined;
  const { agent_id: agentId, environment } = build.deployment;
  const [[pointer], objects] = await scope.db.batch([
    scope.db
      .select()
      .from(agentEnvironment)
      .where(pointerAt(scope, agentId, environment)),
    scope.db
      .select({ tag: runtimeObject.tag })
      .from(runtimeObject)
      .where(
        and(
          eq(runtimeObject.tenantId, scope.tenantId),
          eq(runtimeObject.agentId, agentId),
          eq(runtimeObject.environment, environment),
        ),
      )
      .orderBy(asc(runtimeObject.replica)),
  ]);
  const tags = objects.map(({ tag }) => tag);
  const known = pointer !== undefined && pointer.deploymentId !== null;
  const homes = homesAfter(pointer?.homes ?? null, tags, build.replicas, known);
  return { homes, at: pointer?.sequence ?? 0 };
}
