import { MEMORY_TABLES } from "./memory/tables.ts";
import type { Meta } from "./meta.ts";
import type { Sql } from "./sql.ts";

/** What is held of limits and budgets, and what of it is reserved for whom (purse.ts). */
const PURSE_TABLES = `
  CREATE TABLE lease (
    id       TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    granted  INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    used     INTEGER NOT NULL,
    held     INTEGER NOT NULL,
    told     INTEGER NOT NULL,
    ends_ms  INTEGER,
    PRIMARY KEY (id, since_ms)
  ) WITHOUT ROWID;

  CREATE TABLE reservation (
    invocation_id TEXT NOT NULL,
    lease         TEXT NOT NULL,
    since_ms      INTEGER NOT NULL,
    held          INTEGER NOT NULL,
    charged       INTEGER NOT NULL,
    PRIMARY KEY (invocation_id, lease)
  ) WITHOUT ROWID;
`;

/** What retention has come past and will look at again (retention.ts). */
const RETENTION_TABLES = `
  CREATE TABLE put_aside (
    stage         TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    PRIMARY KEY (stage, invocation_id)
  ) WITHOUT ROWID;
`;

/** Turns that several inputs may join, and the keys of those that did (merge.ts). */
const MERGE_TABLES = `
  CREATE TABLE gathering (
    invocation_id TEXT PRIMARY KEY,
    closes_ms     INTEGER NOT NULL,
    latest_ms     INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE joined (
    principal     TEXT NOT NULL,
    idem          TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    PRIMARY KEY (principal, idem)
  ) WITHOUT ROWID;
`;

/** One accepted request, from accept to acknowledgement (decision 0013). */
const INVOCATION_COLUMNS = `
    id              TEXT PRIMARY KEY NOT NULL,
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
    completed_ms    INTEGER,
    opening         TEXT,
    opened          INTEGER NOT NULL,
    closing         TEXT,
    closed          INTEGER,
    tokens          INTEGER NOT NULL,
    pending         INTEGER,
    tat_us          INTEGER,
    first           TEXT,
    first_output    TEXT,
    branch          TEXT,
    erased          INTEGER
  `;
const INVOCATION_INDEXES = `
  CREATE UNIQUE INDEX invocation_idem ON invocation (principal, idem) WHERE idem IS NOT NULL;
  CREATE INDEX invocation_turn ON invocation (session_id, turn);
  CREATE INDEX invocation_pending ON invocation (pending, session_id, turn)
    WHERE pending IS NOT NULL;
  CREATE INDEX invocation_deltas ON invocation (completed_ms) WHERE deltas = 1;
`;

const STEP_COLUMNS = `
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
    tries         INTEGER,
    PRIMARY KEY (invocation_id, key)
  `;

/**
 * The object's schema as it is now: what a new object is given.
 *
 * Tables whose key is text are WITHOUT ROWID: a row then costs one write, not two. Not so those whose
 * rows are long: beyond 1 kB such a table keeps the rest of each row on a page of its own, and
 * writes that page anew with every change (decision 0025). Indexes are partial where they hold only
 * what is still open. What is said in a turn stands in its invocation,
 * once, and so does its first step: a plain invocation is one row.
 */
export const SCHEMA = `
  CREATE TABLE release (
    generation INTEGER PRIMARY KEY,
    body       TEXT NOT NULL
  );

  CREATE TABLE session (
    id         TEXT PRIMARY KEY,
    principal  TEXT NOT NULL,
    client_key TEXT,
    created_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX session_client ON session (principal, client_key) WHERE client_key IS NOT NULL;

  CREATE TABLE invocation (${INVOCATION_COLUMNS});
${INVOCATION_INDEXES}
  CREATE TABLE step (${STEP_COLUMNS});

  CREATE TABLE event (
    invocation_id TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    delta         INTEGER NOT NULL,
    at_ms         INTEGER NOT NULL,
    body          TEXT NOT NULL,
    PRIMARY KEY (invocation_id, seq)
  ) WITHOUT ROWID;

  CREATE TABLE content (
    ref  TEXT NOT NULL,
    n    INTEGER NOT NULL,
    part TEXT NOT NULL,
    PRIMARY KEY (ref, n)
  ) WITHOUT ROWID;

  CREATE TABLE approval (
    id            TEXT PRIMARY KEY,
    invocation_id TEXT NOT NULL,
    step_key      TEXT NOT NULL,
    kind          TEXT NOT NULL,
    occurrence    INTEGER NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    principal     TEXT NOT NULL,
    input         TEXT NOT NULL,
    digest        TEXT NOT NULL,
    rule          TEXT NOT NULL,
    cost_micros   INTEGER,
    status        TEXT NOT NULL,
    votes         TEXT NOT NULL,
    answer        TEXT,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    decided_ms    INTEGER,
    signature     TEXT NOT NULL,
    owed          INTEGER
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX approval_step ON approval (invocation_id, step_key, kind, occurrence);
  CREATE INDEX approval_owed ON approval (owed) WHERE owed IS NOT NULL;

  CREATE TABLE callback (
    id            TEXT PRIMARY KEY,
    invocation_id TEXT NOT NULL,
    step_key      TEXT NOT NULL,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    done_ms       INTEGER,
    answer        TEXT
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX callback_step ON callback (invocation_id, step_key);

  CREATE TABLE lineage (
    invocation_id TEXT PRIMARY KEY,
    parents       TEXT NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE amendment (
    invocation_id TEXT PRIMARY KEY,
    input         TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    principal     TEXT NOT NULL,
    at_ms         INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE breaker (
    name     TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    trips    INTEGER NOT NULL,
    probe_ms INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE parked (
    invocation_id TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    probes        INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX parked_name ON parked (name, invocation_id);

  CREATE TABLE ending (
    invocation_id TEXT PRIMARY KEY,
    status        TEXT NOT NULL,
    error         TEXT NOT NULL
  ) WITHOUT ROWID;
${MEMORY_TABLES}${MERGE_TABLES}${PURSE_TABLES}${RETENTION_TABLES}`;

/**
 * What brings an older object to `SCHEMA`, from version 1 on, forward only; a test says that both
 * ways end in one schema (GUARANTEES row 23).
 */
export const UPGRADES: readonly string[] = [
  `
  ALTER TABLE invocation ADD COLUMN opening TEXT;
  ALTER TABLE invocation ADD COLUMN opened INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE invocation ADD COLUMN closing TEXT;
  ALTER TABLE invocation ADD COLUMN closed INTEGER;
  ALTER TABLE invocation ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE invocation ADD COLUMN pending INTEGER;
  ALTER TABLE invocation ADD COLUMN tat_us INTEGER;
  ALTER TABLE invocation ADD COLUMN first TEXT;
  ALTER TABLE invocation ADD COLUMN first_output TEXT;
  UPDATE invocation SET
    tokens = coalesce((SELECT sum(m.tokens) FROM message m
      WHERE m.session_id = invocation.session_id AND m.turn = invocation.turn), 0),
    pending = CASE WHEN completed_ms IS NULL THEN 1
      WHEN id IN (SELECT invocation_id FROM outbox) THEN 2 END;
  UPDATE invocation SET tat_us = (SELECT tat_us FROM rate WHERE subject = 'agent')
    WHERE id = (SELECT max(id) FROM invocation);
  DELETE FROM content WHERE ref LIKE 'ses_%';
  DROP INDEX invocation_open;
  CREATE INDEX invocation_turn ON invocation (session_id, turn);
  CREATE INDEX invocation_pending ON invocation (pending, session_id, turn)
    WHERE pending IS NOT NULL;
  ALTER TABLE session DROP COLUMN turns;
  DROP TABLE message;
  DROP TABLE outbox;
  DROP TABLE rate;
  `,
  `
  CREATE TABLE approval (
    id            TEXT PRIMARY KEY,
    invocation_id TEXT NOT NULL,
    step_key      TEXT NOT NULL,
    kind          TEXT NOT NULL,
    occurrence    INTEGER NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    principal     TEXT NOT NULL,
    input         TEXT NOT NULL,
    digest        TEXT NOT NULL,
    rule          TEXT NOT NULL,
    cost_micros   INTEGER,
    status        TEXT NOT NULL,
    votes         TEXT NOT NULL,
    answer        TEXT,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    decided_ms    INTEGER,
    signature     TEXT NOT NULL,
    owed          INTEGER
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX approval_step ON approval (invocation_id, step_key, kind, occurrence);
  CREATE INDEX approval_owed ON approval (owed) WHERE owed IS NOT NULL;

  CREATE TABLE callback (
    id            TEXT PRIMARY KEY,
    invocation_id TEXT NOT NULL,
    step_key      TEXT NOT NULL,
    created_ms    INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL,
    done_ms       INTEGER,
    answer        TEXT
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX callback_step ON callback (invocation_id, step_key);

  CREATE TABLE lineage (
    invocation_id TEXT PRIMARY KEY,
    parents       TEXT NOT NULL
  ) WITHOUT ROWID;
  ALTER TABLE invocation ADD COLUMN branch TEXT;
  ALTER TABLE invocation ADD COLUMN erased INTEGER;
  CREATE TABLE amendment (
    invocation_id TEXT PRIMARY KEY,
    input         TEXT NOT NULL,
    revision      INTEGER NOT NULL,
    principal     TEXT NOT NULL,
    at_ms         INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE breaker (
    name     TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    trips    INTEGER NOT NULL,
    probe_ms INTEGER NOT NULL
  ) WITHOUT ROWID;

  CREATE TABLE parked (
    invocation_id TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    probes        INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX parked_name ON parked (name, invocation_id);

  CREATE TABLE ending (
    invocation_id TEXT PRIMARY KEY,
    status        TEXT NOT NULL,
    error         TEXT NOT NULL
  ) WITHOUT ROWID;
  ALTER TABLE step ADD COLUMN tries INTEGER;
${rebuilt("invocation", INVOCATION_COLUMNS)}${INVOCATION_INDEXES}${rebuilt("step", STEP_COLUMNS)}
${MEMORY_TABLES}${MERGE_TABLES}${PURSE_TABLES}${RETENTION_TABLES}  `,
];

/** The table anew, of these columns and of what it holds; its indexes go with the old one. */
function rebuilt(table: string, columns: string): string {
  const names = [...columns.matchAll(/^ +([a-z_]+) /gm)].map(([, name]) => name).join(", ");
  return `
  CREATE TABLE ${table}_next (${columns});
  INSERT INTO ${table}_next (${names}) SELECT ${names} FROM ${table};
  DROP TABLE ${table};
  ALTER TABLE ${table}_next RENAME TO ${table};`;
}

/** Bring the schema up to date; synchronous, so nothing is delivered before it is done. */
export function migrate(sql: Sql, meta: Meta): void {
  const newest = UPGRADES.length + 1;
  const version = Number(meta.get("schema") ?? 0);
  if (version === newest) return;
  sql.transaction(() => {
    if (version === 0) sql.run(SCHEMA);
    else for (const statements of UPGRADES.slice(version - 1)) sql.run(statements);
  });
  meta.set("schema", String(newest));
}
