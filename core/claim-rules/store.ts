import { eq } from "drizzle-orm";
import type { Statement } from "../access/contract.ts";
import { role } from "../access/table.ts";
import type { TenantScope } from "../db/scope.ts";

/** A role of the tenant's own, as a rule names it and as what it brings. */
export type NamedRole = {
  readonly id: string;
  readonly slug: string;
  readonly statements: readonly Statement[];
};

/** Every role of the tenant's own, as a statement that can go along in a batch. */
export function rolesOfTenant({ db, tenantId }: TenantScope) {
  return db
    .select({ id: role.id, slug: role.slug, statements: role.statements })
    .from(role)
    .where(eq(role.tenantId, tenantId));
}

export async function namedRoles(scope: TenantScope): Promise<readonly NamedRole[]> {
  return rolesOfTenant(scope);
}
