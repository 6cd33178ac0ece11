import { type HttpSpec, secretNamesOf } from "../../../core/agents/spec.ts";
import type { Release } from "../../../core/deployments/release.ts";
import { egressFetch } from "../../../core/egress/fetch.ts";
import type { Fetch } from "../../../core/models/contract.ts";
import { refuse, type Refusal } from "../../../core/problem.ts";
import { SealFailure } from "../../../core/seal/contract.ts";
import { createRedactor, type Redactor } from "../../../core/secrets/redact.ts";
import { upstreamOf } from "../../../core/upstreams/call.ts";
import { networkOf } from "../../network.ts";
import type { HttpInstalled } from "../releases.ts";
import { configOf } from "../settings.ts";
import { vaultOf, type Vault } from "../vault.ts";

/** A release of an `http` agent, ready to be run. */
export function readyUpstream(release: Release, spec: HttpSpec, env: Env): HttpInstalled {
  const vault = vaultOf(release, env);
  return {
    kind: "http",
    release,
    spec,
    upstream: upstreamOf(spec.upstream, {
      fetch: guarded(spec, env),
      now: () => Date.now(),
      secret: (name) => vault.take(name),
      redactor: (token) => redactorOf(vault, token),
    }),
    check: () => check(spec, vault),
  };
}

function guarded({ upstream }: HttpSpec, env: Env): Fetch {
  const { egressAllow, baseDomain } = configOf(env);
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  const maxBytes = upstream.max_response_bytes;
  const caps = { maxBytes, maxStreamBytes: maxBytes, handsOverRedirects: true };
  return egressFetch(networkOf(env, egressAllow), rule, caps);
}

/** The token is not the release's: it is looked for beside what is. */
function redactorOf(vault: Vault, token: string | undefined): Redactor | undefined {
  const redactors = [
    ...(vault.empty ? [] : [vault.redactor()]),
    ...(token === undefined ? [] : [createRedactor([token])]),
  ];
  const [first, second] = redactors;
  return first !== undefined && second !== undefined ? oneAfterOther(first, second) : first;
}

function oneAfterOther(first: Redactor, second: Redactor): Redactor {
  return {
    text: (text) => second.text(first.text(text)),
    pieces() {
      const [one, two] = [first.pieces(), second.pieces()];
      return {
        push: (piece) => two.push(one.push(piece)),
        end: () => two.push(one.end()) + two.end(),
      };
    },
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
