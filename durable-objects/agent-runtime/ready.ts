import { type LlmSpec, modelsOf, secretNamesOf } from "../../core/agents/spec.ts";
import type { Config } from "../../core/config.ts";
import type { Release, ReleaseProvider } from "../../core/deployments/release.ts";
import { egressFetch } from "../../core/egress/fetch.ts";
import { ModelFailure, type Model } from "../../core/models/contract.ts";
import { HASH } from "../../core/models/embed-hash.ts";
import { resolveEmbedder, type Embedder } from "../../core/models/embedder.ts";
import { terminalFailure } from "../../core/models/failures.ts";
import { missingEmbedder, missingModel, resolveModel } from "../../core/models/resolve.ts";
import { refuse, type Refusal } from "../../core/problem.ts";
import { SealFailure } from "../../core/seal/contract.ts";
import { redactingModel, redactingTool } from "../../core/secrets/redacting.ts";
import { buildTool } from "../../core/tools/build.ts";
import { networkOf } from "../network.ts";
import type { Kernel } from "./kernel.ts";
import { memoryTools } from "./memory/tools.ts";
import type { Installed, InstalledMemory, LlmInstalled } from "./releases.ts";
import { configOf } from "./settings.ts";
import { readyUpstream } from "./upstream/ready.ts";
import { vaultOf, type Vault } from "./vault.ts";

/** The provider that needs no key and no network. */
const LOCAL = "local/";
/** Largest answer of a model, in bytes: a long completion with its wrapping. */
const MODEL_ANSWER_BYTES = 16 * 1024 * 1024;

type PlatformProvider = Config["modelProviders"][number];

/** Make a release ready to run. */
export function ready(release: Release, env: Env, kernel: () => Kernel): Installed {
  const { spec } = release;
  if (spec.kind === "http") return readyUpstream(release, spec, env);
  return readyLlm(release, spec, env, kernel);
}

/** Its models are built at their first use and kept. */
function readyLlm(release: Release, spec: LlmSpec, env: Env, kernel: () => Kernel): LlmInstalled {
  const { egressAllow, baseDomain, modelProviders } = configOf(env);
  const rule = { allow: egressAllow, ownHosts: [baseDomain] };
  const network = networkOf(env, egressAllow);
  const modelFetch = egressFetch(network, rule, { maxBytes: MODEL_ANSWER_BYTES });
  const toolFetch = egressFetch(network, rule);
  const house = housed(spec, release.providers, modelProviders);
  const providers = [...release.providers, ...house.map(platformProvider)];
  const platformKeys = new Map(house.map((it) => [platformProvider(it).id, it.api_key]));
  const given = house.flatMap(({ api_key: key }) => (key === undefined ? [] : [key]));
  const vault = vaultOf(release, env, given);
  const openKey = (provider: ReleaseProvider): string | null =>
    platformKeys.get(provider.id) ?? keyOf(provider, vault);
  const source = { knowledge: spec.knowledge, providers };
  const resolve = (ref: string): Model => {
    const ports = { fetch: modelFetch, openKey: opening(openKey) };
    const model = resolveModel(ref, source, ports);
    return vault.empty ? model : redactingModel(model, vault.redactor);
  };
  const memory = readyMemory(spec, providers, { fetch: modelFetch, openKey: opening(openKey) });
  const models = new Map<string, Model>();
  const secret = (name: string): string | undefined => vault.take(name);
  const tools = new Map(
    spec.tools.map((it) => {
      const tool = buildTool(it, { fetch: toolFetch, now: Date.now, secret });
      return [it.name, vault.empty ? tool : redactingTool(tool, vault.redactor)];
    }),
  );
  if (memory?.spec.tools) {
    const own = memoryTools(kernel, { ...memory, tag: release.tag });
    for (const tool of own) tools.set(tool.offer.name, tool);
  }
  return {
    kind: "llm",
    release,
    spec,
    offers: [...tools.values()]
      .filter(({ rules }) => rules?.offered !== false)
      .map((tool) => tool.offer),
    system: (ref) => systemText(spec, ref),
    model: (ref) => {
      const model = models.get(ref) ?? resolve(ref);
      models.set(ref, model);
      const named = providers.find(({ slug }) => ref.startsWith(`${slug}/`))?.secretName;
      if (typeof named === "string") vault.note(named);
      return model;
    },
    tool: (name) => tools.get(name),
    price: (ref) => release.prices[ref],
    ...(memory && { memory }),
    check: () => check(spec, providers, openKey, vault),
  };
}

/** Its embedder is connected, and its key opened, at the first use. */
function readyMemory(
  { memory: spec }: LlmSpec,
  providers: readonly ReleaseProvider[],
  ports: Parameters<typeof resolveEmbedder>[2],
): InstalledMemory | undefined {
  if (spec === undefined) return undefined;
  const ref = spec.embeddings;
  let connected: Embedder | undefined;
  const connect = (): Embedder => (connected ??= resolveEmbedder(ref, { providers }, ports));
  const embed: Embedder["embed"] = async (texts, call) => connect().embed(texts, call);
  return { spec, embedder: { ref, lexical: ref === HASH, embed } };
}

/** `local/extract` searches the knowledge itself; other models are given it. */
function systemText({ instructions, knowledge }: LlmSpec, ref: string): string {
  if (ref.startsWith(LOCAL) || knowledge.length === 0) return instructions;
  const passages = knowledge.map(({ title, text }) => `## ${title}\n${text}`);
  return [instructions, "# Knowledge", ...passages].join("\n\n");
}

/** @throws SealFailure | ModelFailure  terminal, when the named secret cannot be a key */
function keyOf(provider: ReleaseProvider, vault: Vault): string | null {
  const { secretName } = provider;
  if (typeof secretName !== "string") return vault.key(provider);
  const value = vault.value(secretName);
  if (value !== undefined && /^[\x21-\x7e]+$/.test(value)) return value;
  throw terminalFailure(`the secret ${secretName} cannot be the key of ${provider.slug}`);
}

/** For a call: a key that does not open ends it like any other that cannot succeed. */
function opening(openKey: (provider: ReleaseProvider) => string | null): typeof openKey {
  return (provider) => {
    try {
      return openKey(provider);
    } catch (e) {
      if (!(e instanceof SealFailure)) throw e;
      throw terminalFailure(`the key of ${provider.slug} does not open`);
    }
  };
}

/** Those of the configuration that the spec's models are asked from. */
function housed(
  spec: LlmSpec,
  own: readonly ReleaseProvider[],
  all: readonly PlatformProvider[],
): readonly PlatformProvider[] {
  const refs = modelsOf(spec);
  return all.filter(
    ({ slug }) =>
      refs.some((ref) => ref.startsWith(`${slug}/`)) && own.every((it) => it.slug !== slug),
  );
}

/** A provider of the configuration, as a release would carry it; the tenant's own stand before it. */
function platformProvider({ slug, base_url: baseUrl }: PlatformProvider): ReleaseProvider {
  return { id: `platform/${slug}`, slug, kind: "openai", baseUrl, sealedKey: null };
}

/** An `llm` agent is healthy when every model it names resolves and every secret opens. */
function check(
  spec: LlmSpec,
  providers: readonly ReleaseProvider[],
  openKey: (provider: ReleaseProvider) => string | null,
  vault: Vault,
): { readonly ok: true } | Refusal {
  for (const ref of [spec.model, ...spec.fallback]) {
    const missing = missingModel(ref, providers);
    if (missing !== undefined) return refuse("spec_invalid", missing);
  }
  const missing = spec.memory && missingEmbedder(spec.memory.embeddings, providers);
  if (missing !== undefined) return refuse("spec_invalid", missing);
  try {
    for (const provider of providers) openKey(provider);
    for (const name of secretNamesOf(spec)) {
      if (vault.value(name) === undefined) return refuse("spec_invalid", `no secret ${name}`);
    }
  } catch (e) {
    if (e instanceof ModelFailure) return refuse("spec_invalid", e.problem.detail);
    if (!(e instanceof SealFailure)) throw e;
    return refuse("spec_invalid", "a secret of the release does not open");
  }
  return { ok: true };
}
