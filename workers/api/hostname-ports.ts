/** What a look at a hostname goes through: DNS over HTTPS, and whatever serves the name. */
import type { Config } from "../../core/config.ts";
import { egressFetch } from "../../core/egress/fetch.ts";
import { cloudflareEdge } from "../../core/hostnames/cloudflare.ts";
import { dohResolver, type Resolve } from "../../core/hostnames/dns.ts";
import { type HostnameEdge, localEdge } from "../../core/hostnames/edge.ts";
import type { Fetch } from "../../core/models/contract.ts";

/** Of DNS or of the edge: neither has more to say. */
const ANSWER_BYTES = 262_144;
const PATIENCE_MS = 10_000;

export type HostnamePorts = { readonly resolve: Resolve; readonly edge: HostnameEdge };

export function hostnamePorts(config: Config): HostnamePorts {
  const fetch = outside(config);
  return {
    resolve: dohResolver(fetch, config.dnsResolverUrl),
    edge: config.cloudflare === undefined ? localEdge : cloudflareEdge(fetch, config.cloudflare),
  };
}

/** Where a tenant's own names are to lead: its host under the apex. */
export function targetOf({ baseDomain }: Config, slug: string): string {
  return `${slug}.${baseDomain}`;
}

function outside({ egressAllow, baseDomain }: Config): Fetch {
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  const guarded = egressFetch((url, init) => fetch(url, init), rule, { maxBytes: ANSWER_BYTES });
  return (url, init) => guarded(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
}
