/**
 * `local/hash`: vectors without a key and without a network, by feature hashing.
 *
 * Each word, and each run of three letters inside it at a quarter of the weight, adds to one of
 * `DIMENSIONS` places, with a sign of its own so that what collides cancels out. Equal and alike
 * words come close; synonyms do not. Hence: lexical.
 *
 * @source Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning", §2.
 */
import type { Embedder } from "./embedder.ts";
import { terms } from "./extract-words.ts";
import { abortedFailure } from "./failures.ts";

export const HASH = "local/hash";
const DIMENSIONS = 512;
const PART_WEIGHT = 0.25;
/** Longest text that is looked at; passages are shorter. */
const MOST_UNITS = 20_000;

export const hashEmbedder: Embedder = {
  ref: HASH,
  lexical: true,
  async embed(texts, { signal }) {
    if (signal.aborted) throw abortedFailure(signal);
    return {
      vectors: texts.map(hashed),
      usage: { inputTokens: 0, outputTokens: 0, estimated: false },
    };
  },
};

function hashed(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  for (const term of terms(text.slice(0, MOST_UNITS))) {
    add(vector, term, 1);
    const edged = `^${term}$`;
    for (let i = 0; i + 3 <= edged.length; i += 1) add(vector, edged.slice(i, i + 3), PART_WEIGHT);
  }
  // A word said ten times is not ten times as much.
  for (const [i, value] of vector.entries())
    vector[i] = Math.sign(value) * Math.sqrt(Math.abs(value));
  return vector;
}

function add(vector: Float32Array, feature: string, weight: number): void {
  const hash = fnv1a(feature);
  const at = hash % DIMENSIONS;
  const sign = hash & 0x10000 ? 1 : -1;
  vector[at] = (vector[at] ?? 0) + sign * weight;
}

/** @source FNV-1a, 32 bits, over UTF-16 units. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // The low bits of short texts are alike: stir once more.
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 12)) >>> 0;
}
