/**
 * One search over everything an agent knows: words by the full-text index, closeness by vectors, and
 * the two rankings made one.
 */
import { rfc3339 } from "../../../core/clock.ts";
import type { Recalled } from "../../../core/memories/contract.ts";
import { fuse, type Fused } from "../../../core/memories/fuse.ts";
import { nearTo } from "../../../core/memories/vector.ts";
import { matchOf, wordsIn, wordsOf } from "../../../core/memories/words.ts";
import { estimateTokens } from "../../../core/models/usage.ts";
import type { Sql, Value } from "../sql.ts";
import { ensureTextIndex } from "./index-text.ts";

export type Search = {
  readonly query: string;
  /** The query's vector and by what it was made; undefined to go by words alone. */
  readonly vector: { readonly ref: string; readonly values: Float32Array } | undefined;
  readonly limit: number;
  readonly maxTokens?: number;
  readonly minSimilarity: number;
  readonly subject?: string | undefined;
  /** Who asks: what has a list of readers without them is not there. */
  readonly reader?: string | undefined;
  /** Known then, and true then; epoch ms. */
  readonly asOfMs: number;
  readonly validAtMs: number;
};

/** Each ranking is this long at most; what is further down adds next to nothing to a fused score. */
const RANKED = 50;

/** What this search may see: ?1 known, ?2 true, ?3 reader, ?4 subject. */
const VISIBLE = `p.learned_ms <= ?1 AND (p.gone_ms IS NULL OR p.gone_ms > ?1)
  AND (p.from_ms IS NULL OR p.from_ms <= ?2) AND (p.until_ms IS NULL OR p.until_ms > ?2)
  AND (p.readers IS NULL OR EXISTS (SELECT 1 FROM json_each(p.readers) WHERE value = ?3))
  AND (?4 IS NULL OR p.subject = ?4)`;

/** The passages that fit best, best first, within both bounds. */
export function searchPassages(sql: Sql, search: Search): readonly Recalled[] {
  ensureTextIndex(sql);
  const words = wordsOf(search.query);
  const near = byVector(sql, search);
  const rankings = [byWords(sql, search, words), near.map(({ n }) => n)];
  const similarities = new Map(near.map(({ n, similarity }) => [n, similarity]));
  const found: Recalled[] = [];
  let tokens = 0;
  for (const fused of weighed(sql, fuse(rankings)).slice(0, search.limit)) {
    const row = sql.one<PassageRow>(ONE_PASSAGE, fused.n);
    if (row === undefined) continue;
    tokens += estimateTokens(row.title) + estimateTokens(row.text);
    if (tokens > (search.maxTokens ?? Number.POSITIVE_INFINITY)) break;
    found.push(recalledOf(row, fused, words, similarities.get(fused.n) ?? null));
  }
  return found;
}

function byWords(sql: Sql, search: Search, words: readonly string[]): readonly number[] {
  const match = matchOf(words);
  if (match === undefined) return [];
  return sql
    .all<{ n: number }>(
      `SELECT p.n FROM passage_text JOIN passage p ON p.n = passage_text.rowid
       WHERE passage_text MATCH ?5 AND ${VISIBLE}
       ORDER BY bm25(passage_text, 2.0, 1.0), p.n DESC LIMIT ${RANKED}`,
      ...seen(search),
      match,
    )
    .map(({ n }) => n);
}

type Near = { readonly n: number; readonly similarity: number };

/** Every vector is looked at, row by row: what is kept is bounded, however many they are. */
function byVector(sql: Sql, search: Search): readonly Near[] {
  if (search.vector === undefined) return [];
  const closeness = nearTo(search.vector.values);
  const rows = sql.each<{ n: number; vector: string }>(
    `SELECT p.n, p.vector FROM passage p WHERE p.embedding = ?5 AND ${VISIBLE}`,
    ...seen(search),
    search.vector.ref,
  );
  let best: Near[] = [];
  let least = Math.max(search.minSimilarity, Number.MIN_VALUE);
  for (const { n, vector } of rows) {
    const similarity = closeness(vector);
    if (similarity < least) continue;
    best.push({ n, similarity });
    if (best.length < 4 * RANKED) continue;
    best = nearest(best);
    least = best.at(-1)?.similarity ?? least;
  }
  return nearest(best);
}

function nearest(all: readonly Near[]): Near[] {
  return all.toSorted((a, b) => b.similarity - a.similarity || b.n - a.n).slice(0, RANKED);
}

function seen({ asOfMs, validAtMs, reader, subject }: Search): readonly Value[] {
  return [asOfMs, validAtMs, reader ?? null, subject ?? null];
}

/** What was said with half the confidence counts half. */
function weighed(sql: Sql, all: readonly Fused[]): readonly Fused[] {
  const doubted = new Map(
    sql
      .all<{ n: number; confidence: number }>(
        `SELECT n, confidence FROM passage
         WHERE confidence < 1000 AND n IN (SELECT value FROM json_each(?))`,
        JSON.stringify(all.map(({ n }) => n)),
      )
      .map(({ n, confidence }) => [n, confidence]),
  );
  if (doubted.size === 0) return all;
  return all
    .map((it) => ({ ...it, score: (it.score * (doubted.get(it.n) ?? 1000)) / 1000 }))
    .toSorted((a, b) => b.score - a.score || b.n - a.n);
}

type PassageRow = {
  readonly owner: string;
  readonly part: number;
  readonly title: string;
  readonly text: string;
  readonly subject: string | null;
  readonly learned_ms: number;
};

const ONE_PASSAGE = "SELECT owner, part, title, text, subject, learned_ms FROM passage WHERE n = ?";

function recalledOf(
  row: PassageRow,
  { score, ranks: [word_rank = null, vector_rank = null] }: Fused,
  words: readonly string[],
  similarity: number | null,
): Recalled {
  const { owner: id, learned_ms, ...told } = row;
  return {
    id,
    kind: id.startsWith("doc_") ? "document" : "memory",
    ...told,
    learned_at: rfc3339(learned_ms),
    score,
    why: {
      words: [...wordsIn(words, `${row.title} ${row.text}`)],
      word_rank,
      vector_rank,
      similarity: similarity === null ? null : Math.round(similarity * 1e4) / 1e4,
    },
  };
}
