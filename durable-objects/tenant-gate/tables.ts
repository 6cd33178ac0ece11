/** The gate's schema, one entry per version, forward-only and additive (GUARANTEES row 23). */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
  // Limits: when the next request of a subject is due, epoch µs.
  `CREATE TABLE rate (subject TEXT PRIMARY KEY, tat_us INTEGER NOT NULL) WITHOUT ROWID`,
  // Credits: what is left of the budget of a revision, and when it was set or last filled up.
  `CREATE TABLE credit (
     subject TEXT PRIMARY KEY,
     revision INTEGER NOT NULL,
     left INTEGER NOT NULL,
     filled_ms INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE TABLE charge (
     subject TEXT NOT NULL,
     id TEXT NOT NULL,
     uses INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     PRIMARY KEY (subject, id)
   ) WITHOUT ROWID;
   CREATE INDEX charge_age ON charge (at_ms)`,
  // Use of keys: how often each outcome was met on a UTC day, and when last.
  `CREATE TABLE key_use (
     key_id TEXT NOT NULL,
     day TEXT NOT NULL,
     code TEXT NOT NULL,
     count INTEGER NOT NULL,
     last_ms INTEGER NOT NULL,
     PRIMARY KEY (key_id, day, code)
   ) WITHOUT ROWID;
   CREATE INDEX key_use_day ON key_use (day)`,
  // The audit chain: its head, and the last place that was signed. One row.
  `CREATE TABLE chain (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     seq INTEGER NOT NULL,
     hash TEXT NOT NULL,
     signed_seq INTEGER NOT NULL,
     signed_ms INTEGER NOT NULL
   ) WITHOUT ROWID`,
];

/** Bring the gate's storage to the newest version, before anything is delivered. */
export function migrateGate(storage: DurableObjectStorage): void {
  storage.transactionSync(() => {
    storage.sql.exec("CREATE TABLE IF NOT EXISTS schema (version INTEGER NOT NULL)");
    const [row] = storage.sql.exec<{ version: number }>("SELECT version FROM schema").toArray();
    const applied = row?.version ?? 0;
    if (applied >= MIGRATIONS.length) return;
    for (const statements of MIGRATIONS.slice(applied)) storage.sql.exec(statements);
    storage.sql.exec("DELETE FROM schema");
    storage.sql.exec("INSERT INTO schema VALUES (?)", MIGRATIONS.length);
  });
}
