/**
 * What is swept of a tenant, store by store; each may be done again and finds less to do.
 * Erasures and imports that were given up both end here.
 */
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { sweepTables, tableName } from "../../core/erasure/store-sweep.ts";
import { Problem } from "../../core/problem.ts";
import type { TransferJob } from "./transfer.ts";
import { ownersOf } from "./export.ts";

/** Records that are not the tenant's own: of its end, and the row that ends last. */
const KEPT: ReadonlySet<string> = new Set(["tenant", "erasure"]);

export type SweepJob = Pick<TransferJob, "tables" | "runtimeOf" | "gateOf" | "platform">;

/** Every agent's object, or those of one agent. */
export async function eraseObjects(
  job: Pick<SweepJob, "runtimeOf">,
  scope: TenantScope,
  agentId?: string,
): Promise<number> {
  let erased = 0;
  for await (const owner of ownersOf(scope, agentId)) {
    Problem.unwrap(await job.runtimeOf(owner).erase(owner));
    erased += 1;
  }
  return erased;
}

/** What an import has brought, its own record left alone. Objects are found by rows: they go first. */
export async function sweepArrived(job: SweepJob, tenantId: string): Promise<void> {
  const scope = tenantScope(job.platform, tenantId);
  await eraseObjects(job, scope);
  Problem.unwrap(await job.gateOf(tenantId).erase(tenantId));
  const tables = sweptTables(job.tables).filter((table) => tableName(table) !== "transfer");
  await sweepTables(scope, tables);
}

export async function sweepRows(job: Pick<SweepJob, "tables">, scope: TenantScope): Promise<void> {
  await sweepTables(scope, sweptTables(job.tables));
}

export function sweptTables(tables: readonly SQLiteTable[]): readonly SQLiteTable[] {
  return tables.filter((table) => !KEPT.has(tableName(table)));
}
