/** Recall at its barest: one full-text query, one pass of cosines over stored vectors, the best ten. */
import { hashEmbedder } from "../../core/models/embed-hash.ts";

const BEST = 50;
const SHOWN = 10;

export async function fillRecall(sql: SqlStorage, texts: readonly string[]): Promise<void> {
  sql.exec("CREATE TABLE IF NOT EXISTS item (n INTEGER PRIMARY KEY, text TEXT, vector BLOB)");
  sql.exec("CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, tokenize='porter')");
  const { vectors } = await hashEmbedder.embed(texts, CALL);
  for (const [i, text] of texts.entries()) {
    sql.exec("INSERT INTO item (text, vector) VALUES (?, ?)", text, vectors[i]?.buffer ?? null);
    sql.exec("INSERT INTO words (text) VALUES (?)", text);
  }
}

export async function recall(sql: SqlStorage, query: string): Promise<readonly unknown[]> {
  const match = query
    .split(" ")
    .map((word) => `"${word}"`)
    .join(" OR ");
  const byWords = sql
    .exec<{ n: number }>(
      `SELECT rowid AS n FROM words WHERE words MATCH ? ORDER BY bm25(words) LIMIT ${BEST}`,
      match,
    )
    .toArray();
  const { vectors } = await hashEmbedder.embed([query], CALL);
  const asked = vectors[0] ?? new Float32Array();
  const near: { readonly n: number; readonly cosine: number }[] = [];
  for (const { n, vector } of sql.exec<{ n: number; vector: ArrayBuffer }>(
    "SELECT n, vector FROM item",
  )) {
    near.push({ n, cosine: cosine(asked, new Float32Array(vector)) });
  }
  const byVector = near.toSorted((a, b) => b.cosine - a.cosine).slice(0, BEST);
  const scores = new Map<number, number>();
  for (const ranking of [byWords, byVector]) {
    for (const [i, { n }] of ranking.entries()) {
      scores.set(n, (scores.get(n) ?? 0) + 1 / (60 + i + 1));
    }
  }
  const best = [...scores].toSorted(([, a], [, b]) => b - a).slice(0, SHOWN);
  return best.map(([n]) => sql.exec("SELECT n, text FROM item WHERE n = ?", n).one());
}

const CALL = { idempotencyKey: "", signal: new AbortController().signal };

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, sizeA, sizeB] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    dot += x * y;
    sizeA += x * x;
    sizeB += y * y;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(sizeA * sizeB);
}
