import { tenantScope } from "../../core/db/scope.ts";
import type { Release } from "../../core/deployments/release.ts";
import { priceOf } from "../../core/models/cost.ts";
import { loadRelease } from "../../core/releases/store.ts";
import type { Owner } from "./contract.ts";
import { platformOf } from "./settings.ts";
import type { Sql } from "./sql.ts";

/**
 * Is this object `owner`'s? The first release to arrive settles that for good (G7).
 *
 * @param settle  Write the owner when there is none yet.
 */
export function holdsRelease(sql: Sql, owner: Owner, settle: boolean): boolean {
  const { tenantId, agentId, environment, replica } = owner;
  const named = JSON.stringify({ tenantId, agentId, environment, replica });
  const row = sql.one<{ value: string }>("SELECT value FROM meta WHERE key = 'owner'");
  if (row) return row.value === named;
  if (settle) sql.run("INSERT INTO meta VALUES ('owner', ?)", named);
  return settle;
}

/** What the control plane says is live here, or undefined. */
export async function pullRelease(env: Env, owner: Owner): Promise<Release | undefined> {
  const scope = tenantScope(platformOf(env), owner.tenantId);
  return loadRelease(scope, owner.agentId, owner.environment, owner.replica, priceOf);
}
