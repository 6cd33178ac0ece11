/**
 * The tables of an agent's memory. The full-text index over them is derived: it is made at the first
 * use (./index-text.ts), so an agent without a memory has no part of it, and is no part of an export.
 *
 * `passage` is what recall searches: one row for each item of memory and each part of a document,
 * with all that decides who sees it and when, so that a search asks one table.
 */
export const MEMORY_TABLES = `
  CREATE TABLE memory (
    id            TEXT PRIMARY KEY,
    author        TEXT NOT NULL,
    source        TEXT,
    session_id    TEXT,
    topic         TEXT,
    supersedes    TEXT,
    superseded_by TEXT,
    origin        TEXT
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX memory_origin ON memory (origin) WHERE origin IS NOT NULL;

  CREATE TABLE document (
    id         TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    media_type TEXT NOT NULL,
    subject    TEXT,
    author     TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    passages   INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE passage (
    n          INTEGER PRIMARY KEY,
    owner      TEXT NOT NULL,
    part       INTEGER NOT NULL,
    title      TEXT NOT NULL,
    text       TEXT NOT NULL,
    subject    TEXT,
    readers    TEXT,
    confidence INTEGER NOT NULL,
    learned_ms INTEGER NOT NULL,
    gone_ms    INTEGER,
    from_ms    INTEGER,
    until_ms   INTEGER,
    embedding  TEXT,
    vector     TEXT
  );
  CREATE UNIQUE INDEX passage_owner ON passage (owner, part);
  CREATE INDEX passage_subject ON passage (subject) WHERE subject IS NOT NULL;
  CREATE INDEX passage_embedding ON passage (embedding);

  CREATE TABLE recalled (
    owner         TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    PRIMARY KEY (owner, invocation_id)
  ) WITHOUT ROWID;

  CREATE TABLE summary (
    session_id    TEXT NOT NULL,
    turn          INTEGER NOT NULL,
    through       INTEGER NOT NULL,
    invocation_id TEXT NOT NULL,
    text          TEXT NOT NULL,
    PRIMARY KEY (session_id, turn)
  ) WITHOUT ROWID;
`;
