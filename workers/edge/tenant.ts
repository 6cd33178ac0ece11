import { tenantScope } from "../../core/db/scope.ts";
import { findTenantByHostname } from "../../core/hostnames/store.ts";
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
  keep: Keep,
): Residence | Promise<Residence> {
  if (host.kind === "tenant") return named(services, host.slug, nowMs, keep);
  const { hostname } = host;
  const read = () => findTenantByHostname(services.platform, hostname);
  const found: Found<{ readonly slug: string }> = services.hostnames.get(
    hostname,
    nowMs,
    read,
    keep,
  );
  return found instanceof Promise
    ? found.then((tenant) => owned(services, tenant, nowMs, keep))
    : owned(services, found, nowMs, keep);
}

type Keep = (read: Promise<unknown>) => void;

function named(
  services: Services,
  slug: string,
  nowMs: number,
  keep: Keep,
): Residence | Promise<Residence> {
  const found: Found<Residence> = services.tenants.get(
    slug,
    nowMs,
    () => readResidence(services, slug),
    keep,
  );
  return found instanceof Promise ? found.then(admitted) : admitted(found);
}

/** A name of the tenant's own is served while the platform lets it have one. */
function owned(
  services: Services,
  found: { readonly slug: string } | undefined,
  nowMs: number,
  keep: Keep,
): Residence | Promise<Residence> {
  if (found === undefined) throw unknownHost();
  const residence = named(services, found.slug, nowMs, keep);
  return residence instanceof Promise ? residence.then(mayBring) : mayBring(residence);
}

function mayBring(residence: Residence): Residence {
  if (!residence.tenant.flags.custom_hostnames) throw unknownHost();
  return residence;
}

/** A hostname changed: this isolate looks it up anew. */
export function forgetHostname(services: Services, name: string): void {
  services.hostnames.forget(name);
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
