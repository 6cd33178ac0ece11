import { eq } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import type { TenantStatus } from "./contract.ts";
import { tenant } from "./table.ts";

/** What the tenant is now, read at the store; undefined when it is gone. */
export async function findTenantStatus(scope: TenantScope): Promise<TenantStatus | undefined> {
  const [row] = await scope.db
    .select({ status: tenant.status })
    .from(tenant)
    .where(eq(tenant.id, scope.tenantId));
  return row?.status;
}
