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
  // Limits and budgets that objects lease parts of: what there is in a period, what is used of it
  // and out; what each holder was given, gave back, used and holds; thresholds that were reached.
  `CREATE TABLE allowance (
     id TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     rule TEXT NOT NULL,
     kind TEXT NOT NULL,
     cap INTEGER NOT NULL,
     revision INTEGER NOT NULL,
     ends_ms INTEGER,
     warn TEXT NOT NULL,
     used INTEGER NOT NULL,
     out INTEGER NOT NULL,
     PRIMARY KEY (id, since_ms)
   ) WITHOUT ROWID;
   CREATE INDEX allowance_rule ON allowance (rule, since_ms);
   CREATE TABLE lease (
     id TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     holder TEXT NOT NULL,
     granted INTEGER NOT NULL,
     returned INTEGER NOT NULL,
     used INTEGER NOT NULL,
     held INTEGER NOT NULL,
     PRIMARY KEY (id, since_ms, holder)
   ) WITHOUT ROWID;
   CREATE TABLE warning (
     id TEXT NOT NULL,
     since_ms INTEGER NOT NULL,
     pct INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     used INTEGER NOT NULL,
     cap INTEGER NOT NULL,
     rule TEXT NOT NULL,
     told INTEGER NOT NULL,
     PRIMARY KEY (id, since_ms, pct)
   ) WITHOUT ROWID;
   CREATE INDEX warning_untold ON warning (told) WHERE told = 0`,
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
