import type { AgentSpec } from "../../core/agents/spec.ts";
import type { Release, ReleaseProvider } from "../../core/deployments/release.ts";
import { egressFetch } from "../../core/egress/fetch.ts";
import { createChatCodec } from "../../core/models/chat-codec.ts";
import type { Fetch, Model } from "../../core/models/contract.ts";
import { createExtract } from "../../core/models/extract.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { SealFailure, type Sealer } from "../../core/seal/contract.ts";
import { createSealer } from "../../core/seal/seal.ts";
import { buildTool } from "../../core/tools/build.ts";
import { aead } from "../aead.ts";
import type { Installed } from "./releases.ts";
import { configOf } from "./settings.ts";

/** The provider that needs no key and no network. */
const LOCAL = "local/";
/** Largest answer of a model, in bytes: a long completion with its wrapping. */
const MODEL_ANSWER_BYTES = 16 * 1024 * 1024;

/** Make a release ready to run; its models are built at their first use and kept. */
export function ready(release: Release, env: Env): Installed {
  const { egressAllow, baseDomain, masterKeys } = configOf(env);
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  const plain: Fetch = (target, init) => fetch(target, init);
  const sealer = createSealer(aead, masterKeys);
  const modelFetch = egressFetch(plain, rule, { maxBytes: MODEL_ANSWER_BYTES });
  const toolFetch = egressFetch(plain, rule);
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
      const model = models.get(ref) ?? modelOf(release, ref, modelFetch, sealer);
      models.set(ref, model);
      return model;
    },
    tool: (name) => tools.get(name),
    price: (ref) => release.prices[ref],
    check: () => check(release, sealer),
  };
}

/** `local/extract` searches the knowledge itself; other models are given it. */
function systemText({ instructions, knowledge }: AgentSpec, ref: string): string {
  if (ref.startsWith(LOCAL) || knowledge.length === 0) return instructions;
  const passages = knowledge.map(({ title, text }) => `## ${title}\n${text}`);
  return [instructions, "# Knowledge", ...passages].join("\n\n");
}

function modelOf(release: Release, ref: string, guarded: Fetch, sealer: Sealer): Model {
  if (ref.startsWith(LOCAL)) return createExtract({ knowledge: release.spec.knowledge });
  const provider = providerOf(release, ref);
  if (!provider) throw new Error(`the release has no provider for ${ref}`);
  const apiKey = keyOf(release, provider, sealer);
  return createChatCodec({ baseUrl: provider.baseUrl, apiKey, fetch: guarded });
}

function providerOf(release: Release, ref: string): ReleaseProvider | undefined {
  const slug = ref.slice(0, ref.indexOf("/"));
  return release.providers.find((provider) => provider.slug === slug);
}

function keyOf(release: Release, provider: ReleaseProvider, sealer: Sealer): string | null {
  if (provider.sealedKey === null) return null;
  const place = { tenantId: release.tenantId, kind: "provider", id: provider.id };
  return sealer.open(place, provider.sealedKey);
}

/** DECISIONS 19: an `llm` agent is healthy when every model it names resolves and every key opens. */
function check(release: Release, sealer: Sealer): { readonly ok: true } | Refusal {
  for (const ref of [release.spec.model, ...release.spec.fallback]) {
    if (ref.startsWith(LOCAL)) continue;
    const provider = providerOf(release, ref);
    if (!provider) return refuse("spec_invalid", `no provider for the model ${ref}`);
    try {
      keyOf(release, provider, sealer);
    } catch (e) {
      if (!(e instanceof SealFailure)) throw e;
      return refuse("spec_invalid", `the key of provider ${provider.slug} does not open`);
    }
  }
  return { ok: true };
}
