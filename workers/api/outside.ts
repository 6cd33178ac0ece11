/** What a tenant may name outside the platform, and how what opens it is kept. */
import type { Config } from "../../core/config.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { checkUrl } from "../../core/egress/check.ts";
import { Problem } from "../../core/problem.ts";
import type { SealProviderKey } from "../../core/providers/contract.ts";
import { checkTools, headerFault } from "../../core/tools/check.ts";
import { checkUpstream } from "../../core/upstreams/check.ts";
import type { SpecPorts } from "../../core/versions/validate.ts";
import { sealerOf } from "../edge/sealing.ts";
import type { Services } from "../edge/services.ts";

/** Seals a provider's key for the place it will be opened at (GUARANTEES §6). */
export function providerSealer(
  services: Services,
  scope: TenantScope,
  nowMs: number,
): SealProviderKey {
  return async ({ tenantId, providerId }, plaintext) => {
    const sealer = await sealerOf(services, scope, nowMs);
    return sealer.seal({ tenantId, kind: "provider", id: providerId }, plaintext);
  };
}

/** @throws Problem `invalid` when egress would refuse the address anyway (GUARANTEES §7). */
export function demandReachable(config: Config, pointer: string, url: string | undefined): void {
  const detail = url === undefined ? undefined : refusedUrl(config, url);
  if (detail === undefined) return;
  throw new Problem("invalid", "the address cannot be reached", { errors: [{ pointer, detail }] });
}

/** What publishing checks a spec against, beside the tenant's own providers. */
export function specPorts(config: Config): SpecPorts {
  return {
    providers: config.modelProviders.map(({ slug }) => slug),
    toolFaults: (tools) => checkTools(tools, (url) => refusedUrl(config, url)),
    upstreamFaults: (upstream) =>
      checkUpstream(upstream, { refusedUrl: (url) => refusedUrl(config, url), headerFault }),
  };
}

function refusedUrl({ egressAllow, baseDomain }: Config, url: string): string | undefined {
  const checked = checkUrl(url, { allow: egressAllow, ownHosts: [baseDomain] });
  return checked instanceof Problem ? checked.data.detail : undefined;
}
