import type { Meta } from "./meta.ts";
import type { Sql } from "./sql.ts";

/**
 * The object's schema, one entry per version, forward-only and additive (GUARANTEES row 23).
 *
 * Tables whose key is text are WITHOUT ROWID: a row then costs one write, not two. Indexes are
 * partial for the same reason: they hold only what is still open.
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE release (
    generation INTEGER PRIMARY KEY,
    body       TEXT NOT NULL
  );

  CREATE TABLE session (
    id         TEXT PRIMARY KEY,
    principal  TEXT NOT NULL,
    client_key TEXT,
    turns      INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX session_client ON session (principal, client_key) WHERE client_key IS NOT NULL;

  CREATE TABLE message (
    session_id   TEXT NOT NULL,
    turn         INTEGER NOT NULL,
    n            INTEGER NOT NULL,
    invocation_id TEXT NOT NULL,
    role         TEXT NOT NULL,
    content      TEXT NOT NULL,
    tool_calls   TEXT,
    tool_call_id TEXT,
    tokens       INTEGER NOT NULL,
    PRIMARY KEY (session_id, turn, n)
  ) WITHOUT ROWID;

  CREATE TABLE invocation (
    id              TEXT PRIMARY KEY,
    principal       TEXT NOT NULL,
    idem            TEXT,
    fingerprint     TEXT NOT NULL,
    session_id      TEXT NOT NULL,
    turn            INTEGER NOT NULL,
    generation      INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    status          TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    restarts        INTEGER NOT NULL,
    due_ms          INTEGER,
    deltas          INTEGER NOT NULL,
    input           TEXT NOT NULL,
    output          TEXT,
    error           TEXT,
    metadata        TEXT,
    max_cost_micros INTEGER,
    input_tokens    INTEGER NOT NULL,
    output_tokens   INTEGER NOT NULL,
    model_calls     INTEGER NOT NULL,
    tool_calls      INTEGER NOT NULL,
    estimated       INTEGER NOT NULL,
    cost_micros     INTEGER NOT NULL,
    redriven_from   TEXT,
    request_id      TEXT NOT NULL,
    traceparent     TEXT,
    created_ms      INTEGER NOT NULL,
    completed_ms    INTEGER
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX invocation_idem ON invocation (principal, idem) WHERE idem IS NOT NULL;
  CREATE INDEX invocation_open ON invocation (session_id, turn) WHERE completed_ms IS NULL;
  CREATE INDEX invocation_deltas ON invocation (completed_ms) WHERE deltas = 1;

  CREATE TABLE step (
    invocation_id TEXT NOT NULL,
    key           TEXT NOT NULL,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    input_hash    TEXT NOT NULL,
    input         TEXT,
    output        TEXT,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    estimated     INTEGER NOT NULL,
    cost_micros   INTEGER NOT NULL,
    started_ms    INTEGER NOT NULL,
    finished_ms   INTEGER,
    PRIMARY KEY (invocation_id, key)
  ) WITHOUT ROWID;

  CREATE TABLE event (
    invocation_id TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    delta         INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (invocation_id, seq)
  ) WITHOUT ROWID;

  CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    invocation_id TEXT NOT NULL
  );

  CREATE TABLE rate (
    subject TEXT PRIMARY KEY,
    tat_us  INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE content (
    ref  TEXT NOT NULL,
    n    INTEGER NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (ref, n)
  ) WITHOUT ROWID;
  `,
];

/** Bring the schema up to date; synchronous, so nothing is delivered before it is done. */
export function migrate(sql: Sql, meta: Meta): void {
  const version = Number(meta.get("schema") ?? 0);
  if (version === MIGRATIONS.length) return;
  sql.transaction(() => {
    for (const statements of MIGRATIONS.slice(version)) sql.run(statements);
  });
  meta.set("schema", String(MIGRATIONS.length));
}
