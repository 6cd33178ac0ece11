/** Documents an agent answers from: a row for each, and its passages among everything it recalls. */
import { rfc3339 } from "../../../core/clock.ts";
import { newId } from "../../../core/ids.ts";
import type { KnowledgeDocument, Passage } from "../../../core/knowledge/contract.ts";
import type { DocumentGiven } from "../contract-memory.ts";
import type { Sql } from "../sql.ts";
import { ensureTextIndex } from "./index-text.ts";
import { addPassage } from "./items.ts";

/**
 * Keep a document, in the caller's transaction.
 *
 * @param vectors  One for each passage; null for those that have none yet.
 * @returns its id
 */
export function keepDocument(
  sql: Sql,
  tag: string,
  given: DocumentGiven,
  embedding: { readonly ref: string; readonly vectors: readonly (string | null)[] },
  nowMs: number,
): string {
  ensureTextIndex(sql);
  const id = newId("document", nowMs, tag);
  sql.run(
    "INSERT INTO document VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    id,
    given.title,
    given.mediaType,
    given.subject ?? null,
    given.author,
    given.sizeBytes,
    given.sha256,
    given.passages.length,
    nowMs,
  );
  for (const [part, { title, text }] of given.passages.entries()) {
    const vector = { ref: embedding.ref, packed: embedding.vectors[part] ?? null };
    addPassage(sql, {
      owner: id,
      part,
      title,
      text,
      subject: given.subject ?? null,
      readers: null,
      confidence: 1000,
      learnedMs: nowMs,
      fromMs: null,
      untilMs: null,
      vector,
    });
  }
  return id;
}

export function findDocument(sql: Sql, id: string): KnowledgeDocument | undefined {
  const row = sql.one<DocumentRow>(`${SELECT} WHERE d.id = ?`, id);
  return row && onWire(row);
}

/** Up to `limit` documents after one, in the order they came. */
export function listDocuments(sql: Sql, after: string, limit: number): KnowledgeDocument[] {
  return sql
    .all<DocumentRow>(`${SELECT} WHERE d.id > ? ORDER BY d.id LIMIT ?`, after, limit)
    .map(onWire);
}

export function listPassages(sql: Sql, id: string, after: number, limit: number): Passage[] {
  return sql.all<Passage>(
    `SELECT part, title, text FROM passage WHERE owner = ? AND part > ? ORDER BY part LIMIT ?`,
    id,
    after,
    limit,
  );
}

type DocumentRow = {
  readonly id: string;
  readonly title: string;
  readonly media_type: KnowledgeDocument["media_type"];
  readonly subject: string | null;
  readonly author: string;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly passages: number;
  readonly created_ms: number;
  readonly model: string | null;
  readonly embedded: number;
};

const SELECT = `SELECT d.*,
  (SELECT max(embedding) FROM passage p WHERE p.owner = d.id) AS model,
  (SELECT count(embedding) FROM passage p WHERE p.owner = d.id) AS embedded FROM document d`;

function onWire({ created_ms, model, embedded, ...row }: DocumentRow): KnowledgeDocument {
  return {
    ...row,
    created_at: rfc3339(created_ms),
    embedding: { model, passages: embedded },
  };
}
