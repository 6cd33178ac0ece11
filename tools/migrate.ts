/** D1 migrations of a local server: forward only, each in one batch with its own record. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** The part of D1 that is used here; Miniflare's and the Worker's are two types of one thing. */
type Database = {
  prepare(sql: string): Statement;
  batch(statements: Statement[]): Promise<unknown>;
};
type Statement = {
  bind(...values: unknown[]): Statement;
  all(): Promise<{ readonly results: readonly unknown[] }>;
};

const Applied = z.object({ name: z.string() });

/** wrangler's own table and shape: `wrangler d1 migrations` goes on where this stopped. */
const RECORD = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`;

/**
 * Apply what `folder` holds beyond the database's record, in order of name.
 *
 * @returns the names applied now
 * @throws  when the database has a migration the folder lacks: its state is newer than the code
 */
export async function migrate(db: Database, folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder).catch(() => []))
    .filter((name) => name.endsWith(".sql"))
    .sort();
  await db.prepare(RECORD).all();
  const rows = await db.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(rows.results.map((row) => Applied.parse(row).name));
  const unknown = [...applied].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new Error(
      `the state has migration ${unknown}, which this version of Berth does not know`,
    );
  }
  const due = names.filter((name) => !applied.has(name));
  for (const name of due) {
    const statements = statementsOf(await readFile(join(folder, name), "utf8"));
    const record = db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name);
    await db.batch([...statements.map((sql) => db.prepare(sql)), record]);
  }
  return due;
}

/**
 * Was this state last brought up to exactly these migrations? Asking the database through Miniflare
 * costs a third of a second of every start; the record in it decides whenever the names differ.
 */
export async function isStamped(stamp: string, folder: string): Promise<boolean> {
  const text = await readFile(stamp, "utf8").catch(() => "");
  return text === (await namesOf(folder));
}

export async function putStamp(stamp: string, folder: string): Promise<void> {
  await writeFile(stamp, await namesOf(folder));
}

async function namesOf(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  return JSON.stringify(names.filter((name) => name.endsWith(".sql")).sort());
}

/** The generator puts a marker between statements. */
function statementsOf(text: string): readonly string[] {
  return text
    .split("--> statement-breakpoint")
    .map((sql) => sql.trim())
    .filter((sql) => sql !== "");
}
