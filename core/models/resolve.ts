import type { KnowledgeItem } from "../agents/spec.ts";
import type { ReleaseProvider } from "../deployments/release.ts";
import { createChatCodec } from "./chat-codec.ts";
import type { ProviderAccess } from "./chat-wire.ts";
import type { Fetch, Model } from "./contract.ts";
import { createExtract, EXTRACT } from "./extract.ts";
import { terminalFailure } from "./failures.ts";

/** Provider of the models that are built in; no tenant's provider can take this slug. */
const LOCAL = "local";

/** What a model reference is resolved against: a release, or a draft about to be published. */
export type ModelSource = {
  readonly knowledge: readonly KnowledgeItem[];
  readonly providers: readonly ReleaseProvider[];
};

export type ModelPorts = {
  /** `fetch` behind the egress rule (core/egress/fetch.ts). */
  readonly fetch: Fetch;
  /** The provider's key in clear. Called once per model, at its first use. */
  readonly openKey: (provider: ReleaseProvider) => string | null;
  /** How a provider is spoken to: the codec unless said otherwise (DECISIONS 37). */
  readonly connect?: (access: ProviderAccess) => Model;
};

/**
 * The model behind `provider/model`. Costs an index or a decryption, so keep it per release.
 *
 * @throws ModelFailure  terminal, when the reference names nothing that is there.
 */
export function resolveModel(ref: string, source: ModelSource, ports: ModelPorts): Model {
  const missing = missingModel(ref, source.providers);
  if (missing !== undefined) throw terminalFailure(missing);
  const provider = source.providers.find(({ slug }) => slug === providerOf(ref));
  if (provider === undefined) return createExtract({ knowledge: source.knowledge });
  const connect = ports.connect ?? createChatCodec;
  return connect({
    baseUrl: provider.baseUrl,
    apiKey: ports.openKey(provider),
    fetch: ports.fetch,
  });
}

/** Why a reference cannot be resolved, or `undefined`: what publish asks of every model named. */
export function missingModel(
  ref: string,
  providers: readonly { readonly slug: string }[],
): string | undefined {
  const slug = providerOf(ref);
  if (slug === LOCAL) {
    return ref === `${LOCAL}/${EXTRACT}` ? undefined : `there is no built-in model ${ref}`;
  }
  return providers.some((provider) => provider.slug === slug)
    ? undefined
    : `there is no provider called ${slug}`;
}

/** The same of a reference to embeddings; the built-in ones are `local/hash`. */
export function missingEmbedder(
  ref: string,
  providers: readonly { readonly slug: string }[],
): string | undefined {
  return ref === `${LOCAL}/hash` ? undefined : missingModel(ref, providers);
}

function providerOf(ref: string): string {
  const slash = ref.indexOf("/");
  return slash === -1 ? ref : ref.slice(0, slash);
}
