import { type SQL, and, asc, eq, exists } from "drizzle-orm";
import { rfc3339 } from "../clock.ts";
import type { TenantScope } from "../db/scope.ts";
import type { Environment } from "./contract.ts";
import { environment } from "./table.ts";

/** All of the tenant's environments, by slug. */
export async function listEnvironments(scope: TenantScope): Promise<readonly Environment[]> {
  const rows = await scope.db
    .select()
    .from(environment)
    .where(eq(environment.tenantId, scope.tenantId))
    .orderBy(asc(environment.slug));
  return rows.map((row) => ({ slug: row.slug, created_at: rfc3339(row.createdAtMs) }));
}

export async function hasEnvironment(scope: TenantScope, slug: string): Promise<boolean> {
  const rows = await oneEnvironment(scope, slug);
  return rows.length > 0;
}

/** A condition for other statements: the tenant has this environment. */
export function environmentExists(scope: TenantScope, slug: string): SQL {
  return exists(oneEnvironment(scope, slug));
}

function oneEnvironment(scope: TenantScope, slug: string) {
  return scope.db
    .select({ slug: environment.slug })
    .from(environment)
    .where(and(eq(environment.tenantId, scope.tenantId), eq(environment.slug, slug)));
}
