/**
 * Items of memory. What was learned is never changed: a contradiction supersedes it, and a question
 * about the past still finds it.
 */
import { rfc3339 } from "../../../core/clock.ts";
import { newId } from "../../../core/ids.ts";
import type { Memory } from "../../../core/memories/contract.ts";
import type { Sql } from "../sql.ts";
import { ensureTextIndex } from "./index-text.ts";

/** What is about to be learned. */
export type Learned = {
  readonly text: string;
  readonly subject?: string | undefined;
  /** Of one subject and one topic the newest item alone is current. */
  readonly topic?: string | undefined;
  readonly author: string;
  /** The invocation it was learned in; absent when it was written by a call. */
  readonly source?: { readonly invocationId: string; readonly sessionId: string } | undefined;
  readonly supersedes?: string | undefined;
  /** 0–1000. */
  readonly confidence: number;
  readonly readers?: readonly string[] | undefined;
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Names this very learning: again it is the same item. */
  readonly origin?: string | undefined;
  readonly vector: { readonly ref: string; readonly packed: string | null };
};

/** Learn one thing, in the caller's transaction. @returns its id */
export function learn(sql: Sql, tag: string, item: Learned, nowMs: number): string {
  ensureTextIndex(sql);
  const known = item.origin === undefined ? undefined : findByOrigin(sql, item.origin);
  if (known !== undefined) return known;
  const id = newId("memory", nowMs, tag);
  const earlier = item.supersedes ?? sameTopic(sql, item);
  sql.run(
    "INSERT INTO memory VALUES (?, ?, ?, ?, ?, ?, NULL, ?)",
    id,
    item.author,
    item.source?.invocationId ?? null,
    item.source?.sessionId ?? null,
    item.topic ?? null,
    earlier ?? null,
    item.origin ?? null,
  );
  addPassage(sql, {
    owner: id,
    part: 0,
    title: item.subject ?? "",
    text: item.text,
    subject: item.subject ?? null,
    readers: item.readers ? JSON.stringify(item.readers) : null,
    confidence: item.confidence,
    learnedMs: nowMs,
    fromMs: item.fromMs ?? null,
    untilMs: item.untilMs ?? null,
    vector: item.vector,
  });
  if (earlier !== undefined) supersede(sql, earlier, id, nowMs);
  return id;
}

/** Every vector is looked at in a search: so many are still looked at in a moment. */
const MOST_PASSAGES = 50_000;

/** Has the memory room for so many more? */
export function hasRoom(sql: Sql, more: number): boolean {
  const { n } = sql.one<{ n: number }>("SELECT count(*) AS n FROM passage") ?? { n: 0 };
  return n + more <= MOST_PASSAGES;
}

type NewPassage = {
  readonly owner: string;
  readonly part: number;
  readonly title: string;
  readonly text: string;
  readonly subject: string | null;
  readonly readers: string | null;
  readonly confidence: number;
  readonly learnedMs: number;
  readonly fromMs: number | null;
  readonly untilMs: number | null;
  readonly vector: { readonly ref: string; readonly packed: string | null };
};

export function addPassage(sql: Sql, passage: NewPassage): void {
  const { ref, packed } = passage.vector;
  sql.run(
    "INSERT INTO passage VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)",
    passage.owner,
    passage.part,
    passage.title,
    passage.text,
    passage.subject,
    passage.readers,
    passage.confidence,
    passage.learnedMs,
    passage.fromMs,
    passage.untilMs,
    packed === null ? null : ref,
    packed,
  );
}

export function findMemory(sql: Sql, id: string): Memory | undefined {
  const row = sql.one<MemoryRow>(`${SELECT} WHERE m.id = ?`, id);
  return row && onWire(row);
}

export type Listing = {
  readonly after: string | undefined;
  readonly limit: number;
  readonly subject: string | undefined;
  readonly asOfMs: number;
  readonly superseded: boolean;
};

/** Up to `limit` items after one, in the order they were learned. */
export function listMemories(sql: Sql, listing: Listing): readonly Memory[] {
  return sql
    .all<MemoryRow>(
      `${SELECT} WHERE m.id > ?1 AND p.learned_ms <= ?2 AND (?3 IS NULL OR p.subject = ?3)
         AND (?4 = 1 OR p.gone_ms IS NULL OR p.gone_ms > ?2) ORDER BY m.id LIMIT ?5`,
      listing.after ?? "",
      listing.asOfMs,
      listing.subject ?? null,
      listing.superseded ? 1 : 0,
      listing.limit,
    )
    .map(onWire);
}

function findByOrigin(sql: Sql, origin: string): string | undefined {
  return sql.one<{ id: string }>("SELECT id FROM memory WHERE origin = ?", origin)?.id;
}

/** The current item about the same, known to the same. */
function sameTopic(sql: Sql, { subject, topic, readers }: Learned): string | undefined {
  if (topic === undefined) return undefined;
  return sql.one<{ id: string }>(
    `SELECT m.id FROM memory m JOIN passage p ON p.owner = m.id
     WHERE p.subject IS ? AND m.topic = ? AND p.readers IS ? AND p.gone_ms IS NULL
     ORDER BY m.id DESC LIMIT 1`,
    subject ?? null,
    topic,
    readers ? JSON.stringify(readers) : null,
  )?.id;
}

function supersede(sql: Sql, earlier: string, id: string, nowMs: number): void {
  sql.run("UPDATE memory SET superseded_by = ? WHERE id = ?", id, earlier);
  sql.run("UPDATE passage SET gone_ms = ? WHERE owner = ? AND gone_ms IS NULL", nowMs, earlier);
}

type MemoryRow = {
  readonly id: string;
  readonly author: string;
  readonly source: string | null;
  readonly session_id: string | null;
  readonly topic: string | null;
  readonly supersedes: string | null;
  readonly superseded_by: string | null;
  readonly text: string;
  readonly subject: string | null;
  readonly readers: string | null;
  readonly confidence: number;
  readonly learned_ms: number;
  readonly gone_ms: number | null;
  readonly from_ms: number | null;
  readonly until_ms: number | null;
  readonly embedding: string | null;
};

const SELECT = `SELECT m.id, m.author, m.source, m.session_id, m.topic, m.supersedes,
  m.superseded_by, p.text, p.subject, p.readers, p.confidence, p.learned_ms, p.gone_ms, p.from_ms,
  p.until_ms, p.embedding FROM memory m JOIN passage p ON p.owner = m.id AND p.part = 0`;

function onWire(row: MemoryRow): Memory {
  return {
    id: row.id,
    text: row.text,
    subject: row.subject,
    topic: row.topic,
    author: row.author,
    source: {
      kind: row.source === null ? "api" : "run",
      invocation_id: row.source,
      session_id: row.session_id,
    },
    confidence: row.confidence / 1000,
    readers: row.readers === null ? null : (JSON.parse(row.readers) as string[]),
    learned_at: rfc3339(row.learned_ms),
    valid_from: timeOf(row.from_ms),
    valid_until: timeOf(row.until_ms),
    supersedes: row.supersedes,
    superseded_by: row.superseded_by,
    superseded_at: timeOf(row.gone_ms),
    embedding: row.embedding,
  };
}

function timeOf(ms: number | null): string | null {
  return ms === null ? null : rfc3339(ms);
}
