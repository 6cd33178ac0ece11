/** What turns text into vectors: the built-in one, or a provider's `POST /embeddings`. */
import { createEmbedCodec } from "./embed-codec.ts";
import { HASH, hashEmbedder } from "./embed-hash.ts";
import type { TokenUsage } from "./contract.ts";
import { terminalFailure } from "./failures.ts";
import { missingEmbedder, type ModelPorts, type ModelSource } from "./resolve.ts";

export type Embedded = {
  /** One for each text, in their order. */
  readonly vectors: readonly Float32Array[];
  readonly usage: TokenUsage;
};

/** One way of making vectors. Only vectors of the same `ref` compare. */
export type Embedder = {
  readonly ref: string;
  /** It knows words alone: no meaning, no synonyms. */
  readonly lexical: boolean;
  /**
   * @param texts  At most `EMBED_BATCH`.
   * @throws ModelFailure  for everything the provider did wrong, and for an aborted signal.
   */
  embed(
    texts: readonly string[],
    call: { readonly idempotencyKey: string; readonly signal: AbortSignal },
  ): Promise<Embedded>;
};

/** Texts of one call. */
export const EMBED_BATCH = 96;

/**
 * @throws ModelFailure  terminal, when the reference names nothing that is there.
 */
export function resolveEmbedder(
  ref: string,
  { providers }: Pick<ModelSource, "providers">,
  ports: Omit<ModelPorts, "connect">,
): Embedder {
  if (ref === HASH) return hashEmbedder;
  const missing = missingEmbedder(ref, providers);
  const slash = ref.indexOf("/");
  const provider = providers.find(({ slug }) => slug === ref.slice(0, slash));
  if (missing !== undefined || provider === undefined) {
    throw terminalFailure(missing ?? `there is no provider for ${ref}`);
  }
  return createEmbedCodec(ref, ref.slice(slash + 1), {
    baseUrl: provider.baseUrl,
    apiKey: ports.openKey(provider),
    fetch: ports.fetch,
  });
}
