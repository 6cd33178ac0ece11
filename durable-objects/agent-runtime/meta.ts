import type { Sql } from "./sql.ts";

/** What the object knows about itself, one row each, read together once. */
export type MetaKey =
  | "schema"
  | "owner"
  | "live"
  | "aside"
  | "resting"
  | "arrived"
  | "erased"
  | "retained"
  | "upstream";

export class Meta {
  readonly #sql: Sql;
  readonly #values: Map<string, string>;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#values = new Map(rowsOf(sql).map(({ key, value }) => [key, value]));
  }

  get(key: MetaKey): string | undefined {
    return this.#values.get(key);
  }

  /** Not to be called where the transaction may still be rolled back for another reason. */
  set(key: MetaKey, value: string): void {
    this.#sql.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value);
    this.#values.set(key, value);
  }

  unset(key: MetaKey): void {
    this.#sql.run("DELETE FROM meta WHERE key = ?", key);
    this.#values.delete(key);
  }

  /** The storage was emptied: nothing is known any more. */
  begin(): void {
    rowsOf(this.#sql);
    this.#values.clear();
  }
}

/** An object's first start is the only one that finds no table. */
function rowsOf(sql: Sql): { readonly key: string; readonly value: string }[] {
  try {
    return sql.all("SELECT key, value FROM meta");
  } catch {
    sql.run("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID");
    return [];
  }
}
