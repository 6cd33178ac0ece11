import { type HttpSpec, secretNamesOf } from "../../../core/agents/spec.ts";
import type { Release } from "../../../core/deployments/release.ts";
import { hostAndPort } from "../../../core/egress/check.ts";
import { refuse, type Refusal } from "../../../core/problem.ts";
import { SealFailure } from "../../../core/seal/contract.ts";
import type { HttpInstalled } from "../releases.ts";
import { vaultOf, type Vault } from "../vault.ts";

/** A release of an `http` agent, ready to be run. */
export function readyUpstream(release: Release, spec: HttpSpec, env: Env): HttpInstalled {
  const vault = vaultOf(release, env);
  return {
    kind: "http",
    release,
    spec,
    upstream: { host: hostAndPort(new URL(spec.upstream.url)) },
    check: () => check(spec, vault),
  };
}

/** Whether it answers is asked while it is live; here is whether it could be asked at all. */
function check(spec: HttpSpec, vault: Vault): { readonly ok: true } | Refusal {
  try {
    for (const name of secretNamesOf(spec)) {
      if (vault.value(name) === undefined) return refuse("spec_invalid", `no secret ${name}`);
    }
  } catch (e) {
    if (!(e instanceof SealFailure)) throw e;
    return refuse("spec_invalid", "a secret of the release does not open");
  }
  return { ok: true };
}
