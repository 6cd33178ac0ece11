import { tenantScope } from "../../core/db/scope.ts";
import type { Host } from "../../core/hosts/parse.ts";
import type { Tenant } from "../../core/tenants/contract.ts";
import { findTenantBySlug } from "../../core/tenants/store.ts";
import type { Found } from "./cache.ts";
import { unknownHost } from "./hosts.ts";
import type { Residence, Services } from "./services.ts";

/**
 * The tenant living at a host, from what this isolate knows for at most `CREDENTIAL_CACHE_MS`.
 * A promise only when the store must be asked.
 *
 * @param keep  Keeps a read alive after the request that began it is gone.
 * A suspended one is found too: who shows a credential of it is told (./suspension.ts).
 *
 * @throws Problem `not_found`, at once or by rejection
 */
export function residenceOf(
  services: Services,
  host: Exclude<Host, { kind: "platform" }>,
  nowMs: number,
  keep: (read: Promise<unknown>) => void,
): Residence | Promise<Residence> {
  // Custom hostnames are a table of their own; while there is none, none of them is ours.
  if (host.kind === "custom") throw unknownHost();
  const { slug } = host;
  const found: Found<Residence> = services.tenants.get(
    slug,
    nowMs,
    () => readResidence(services, slug),
    keep,
  );
  return found instanceof Promise ? found.then(admitted) : admitted(found);
}

/** A tenant changed: this isolate looks it up anew. */
export function forgetTenant(services: Services, { slug }: Pick<Tenant, "slug">): void {
  services.tenants.forget(slug);
}

async function readResidence(services: Services, slug: string): Promise<Residence | undefined> {
  const tenant = await findTenantBySlug(services.platform, slug);
  return tenant && { tenant, scope: tenantScope(services.platform, tenant.id) };
}

function admitted(residence: Residence | undefined): Residence {
  if (residence === undefined || residence.tenant.status === "erasing") throw unknownHost();
  return residence;
}
