/** What users and app clients may, as this isolate knows it for at most `CREDENTIAL_CACHE_MS`. */
import type { Access, AssigneeKind } from "../../core/access/contract.ts";
import { findAccess } from "../../core/access/store.ts";
import type { TenantArrival } from "./arrival.ts";
import type { Found } from "./cache.ts";
import type { Services } from "./services.ts";

/**
 * The access of a user or an app client of the tenant arrived at: `scopes` and `grants` of its
 * principal. Undefined for a user who is no member (any more).
 */
export function accessOf(
  { services, residence, nowMs, keep }: TenantArrival,
  kind: AssigneeKind,
  id: string,
): Found<Access> {
  const { scope } = residence;
  const key = `${scope.tenantId} ${kind} ${id}`;
  return services.access.get(key, nowMs, () => findAccess(scope, kind, id), keep);
}

/** Roles, assignments or members changed: this isolate looks all of the tenant's access up anew. */
export function forgetAccess(services: Services, tenantId: string): void {
  services.access.forgetAll(`${tenantId} `);
}
