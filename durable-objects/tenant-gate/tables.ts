/** The gate's schema, one entry per version, forward-only and additive (GUARANTEES row 23). */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
  // Limits: when the next request of a subject is due, epoch µs.
  `CREATE TABLE rate (subject TEXT PRIMARY KEY, tat_us INTEGER NOT NULL) WITHOUT ROWID`,
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
