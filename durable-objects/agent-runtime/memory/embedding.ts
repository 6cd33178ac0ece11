import { packVector } from "../../../core/memories/vector.ts";
import { ModelFailure, type TokenUsage } from "../../../core/models/contract.ts";
import { EMBED_BATCH, type Embedder } from "../../../core/models/embedder.ts";
import type { Sql } from "../sql.ts";

/** Passages without a vector that one recall takes along in the call it makes for its question. */
const TAKEN_ALONG = 32;

export type EmbedCall = { readonly idempotencyKey: string; readonly signal: AbortSignal };

type Bare = { readonly n: number; readonly text: string };

/** What one call gave: the question's vector, and statements that give passages theirs. */
export type Asked = {
  readonly vector: { readonly ref: string; readonly values: Float32Array } | undefined;
  readonly usage: TokenUsage;
  /** Why there is no vector: the provider's words. Then words alone decide. */
  readonly failure?: string;
  record(): void;
};

/**
 * The vector of a question. Passages that have none yet, or one of another model's, get theirs in
 * the same call: what a provider missed while it was down is made good by the next recall.
 *
 * A provider that fails fails no recall.
 */
export async function embedQuestion(
  sql: Sql,
  embedder: Embedder,
  question: string,
  call: EmbedCall,
): Promise<Asked> {
  const bare = withoutVector(sql, embedder.ref);
  try {
    const texts = [question, ...bare.map(({ text }) => text)];
    const { vectors, usage } = await embedder.embed(texts, call);
    const [values] = vectors;
    return {
      vector: values && { ref: embedder.ref, values },
      usage,
      record: () => keepVectors(sql, embedder.ref, bare, vectors.slice(1)),
    };
  } catch (e) {
    if (!(e instanceof ModelFailure)) throw e;
    return { vector: undefined, usage: NOTHING, failure: e.problem.detail, record: () => {} };
  }
}

/** Vectors of texts about to be stored, as far as the provider gives them; null for the others. */
export async function embedTexts(
  embedder: Embedder,
  texts: readonly string[],
  call: EmbedCall,
): Promise<readonly (string | null)[]> {
  const packed: (string | null)[] = [];
  try {
    for (let from = 0; from < texts.length; from += EMBED_BATCH) {
      const idempotencyKey = `${call.idempotencyKey}/${from}`;
      const batch = texts.slice(from, from + EMBED_BATCH);
      const { vectors } = await embedder.embed(batch, { ...call, idempotencyKey });
      packed.push(...vectors.map(packVector));
    }
  } catch (e) {
    if (!(e instanceof ModelFailure)) throw e;
  }
  return texts.map((_, n) => packed[n] ?? null);
}

/** What a vector is made of: the title says what a part of a document is about. */
export function embeddable(title: string, text: string): string {
  return title === "" ? text : `${title}\n${text}`;
}

const NOTHING: TokenUsage = { inputTokens: 0, outputTokens: 0, estimated: false };

function withoutVector(sql: Sql, ref: string): readonly Bare[] {
  return sql
    .all<Bare & { readonly title: string }>(
      `SELECT n, title, text FROM passage
       WHERE embedding IS NULL OR embedding < ?1 OR embedding > ?1 LIMIT ${TAKEN_ALONG}`,
      ref,
    )
    .map(({ n, title, text }) => ({ n, text: embeddable(title, text) }));
}

function keepVectors(
  sql: Sql,
  ref: string,
  passages: readonly Bare[],
  vectors: readonly Float32Array[],
): void {
  for (const [i, { n }] of passages.entries()) {
    const values = vectors[i];
    if (values === undefined) continue;
    sql.run("UPDATE passage SET embedding = ?, vector = ? WHERE n = ?", ref, packVector(values), n);
  }
}
