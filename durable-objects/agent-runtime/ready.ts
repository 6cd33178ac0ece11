import type { AgentSpec } from "../../core/agents/spec.ts";
import type { Config } from "../../core/config.ts";
import type { Release, ReleaseProvider } from "../../core/deployments/release.ts";
import { egressFetch } from "../../core/egress/fetch.ts";
import type { Model } from "../../core/models/contract.ts";
import { missingModel, resolveModel } from "../../core/models/resolve.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { SealFailure, type Sealer } from "../../core/seal/contract.ts";
import { createSealer, createTenantSealer } from "../../core/seal/seal.ts";
import { buildTool } from "../../core/tools/build.ts";
import { aead } from "../aead.ts";
import { networkOf } from "../network.ts";
import type { Installed } from "./releases.ts";
import { configOf } from "./settings.ts";

/** The provider that needs no key and no network. */
const LOCAL = "local/";
/** Largest answer of a model, in bytes: a long completion with its wrapping. */
const MODEL_ANSWER_BYTES = 16 * 1024 * 1024;

type PlatformProvider = Config["modelProviders"][number];

/** Make a release ready to run; its models are built at their first use and kept. */
export function ready(release: Release, env: Env): Installed {
  const { egressAllow, baseDomain, masterKeys, modelProviders } = configOf(env);
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  const network = networkOf(env, egressAllow);
  const master = createSealer(aead, masterKeys);
  const sealer = createTenantSealer(aead, master, release.tenantId, release.dataKeys ?? []);
  const modelFetch = egressFetch(network, rule, { maxBytes: MODEL_ANSWER_BYTES });
  const toolFetch = egressFetch(network, rule);
  const providers = [...release.providers, ...modelProviders.map(platformProvider)];
  const platformKeys = new Map(modelProviders.map((it) => [platformProvider(it).id, it.api_key]));
  const openKey = (provider: ReleaseProvider): string | null =>
    platformKeys.get(provider.id) ?? keyOf(release, provider, sealer);
  const source = { knowledge: release.spec.knowledge, providers };
  const resolve = (ref: string): Model => resolveModel(ref, source, { fetch: modelFetch, openKey });
  const models = new Map<string, Model>();
  const tools = new Map(
    release.spec.tools.map((spec) => [
      spec.name,
      buildTool(spec, { fetch: toolFetch, now: Date.now }),
    ]),
  );
  return {
    release,
    spec: release.spec,
    offers: [...tools.values()].map((tool) => tool.offer),
    system: (ref) => systemText(release.spec, ref),
    model: (ref) => {
      const model = models.get(ref) ?? resolve(ref);
      models.set(ref, model);
      return model;
    },
    tool: (name) => tools.get(name),
    price: (ref) => release.prices[ref],
    check: () => check(release.spec, providers, openKey),
  };
}

/** `local/extract` searches the knowledge itself; other models are given it. */
function systemText({ instructions, knowledge }: AgentSpec, ref: string): string {
  if (ref.startsWith(LOCAL) || knowledge.length === 0) return instructions;
  const passages = knowledge.map(({ title, text }) => `## ${title}\n${text}`);
  return [instructions, "# Knowledge", ...passages].join("\n\n");
}

function keyOf(release: Release, provider: ReleaseProvider, sealer: Sealer): string | null {
  if (provider.sealedKey === null) return null;
  const place = { tenantId: release.tenantId, kind: "provider", id: provider.id };
  return sealer.open(place, provider.sealedKey);
}

/** A provider of the configuration, as a release would carry it; the tenant's own stand before it. */
function platformProvider({ slug, base_url: baseUrl }: PlatformProvider): ReleaseProvider {
  return { id: `platform/${slug}`, slug, kind: "openai", baseUrl, sealedKey: null };
}

/** An `llm` agent is healthy when every model it names resolves and every key opens. */
function check(
  spec: AgentSpec,
  providers: readonly ReleaseProvider[],
  openKey: (provider: ReleaseProvider) => string | null,
): { readonly ok: true } | Refusal {
  for (const ref of [spec.model, ...spec.fallback]) {
    const missing = missingModel(ref, providers);
    if (missing !== undefined) return refuse("spec_invalid", missing);
  }
  try {
    for (const provider of providers) openKey(provider);
  } catch (e) {
    if (!(e instanceof SealFailure)) throw e;
    return refuse("spec_invalid", "the key of a provider does not open");
  }
  return { ok: true };
}
