import { newId } from "../../core/ids.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import type { Principal, Scope } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import type { Tenant } from "../../core/tenants/contract.ts";
import type { TenantArrival } from "../edge/arrival.ts";
import { asking } from "../edge/permits.ts";
import { principalById } from "../edge/principal-by-id.ts";
import type { Services } from "../edge/services.ts";

/** Work that somebody asked for and that goes on after the request. */
export type Asked = {
  readonly services: Services;
  readonly scope: TenantScope;
  readonly tenant: Tenant;
  readonly nowMs: number;
};

/**
 * Whoever asked for the work, as they stand now and asking for `scope`; undefined when they may no
 * longer: a credential that ended ends what goes on in its name.
 */
export async function standingPrincipal(
  { services, scope, tenant, nowMs }: Asked,
  id: string,
  wanted: Scope,
): Promise<Principal | undefined> {
  const arrival: TenantArrival = {
    at: "tenant",
    request: new Request("https://jobs.invalid/"),
    requestId: newId("request", nowMs),
    nowMs,
    host: { kind: "tenant", slug: tenant.slug },
    origin: "https://jobs.invalid",
    services,
    keep: (work) => void work.catch(() => {}),
    residence: { tenant, scope },
  };
  const principal = await principalById(arrival, id);
  if (principal === undefined) return undefined;
  const asked = asking(principal, wanted, nowMs);
  return asked instanceof Problem ? undefined : asked;
}
