type Value = string | number | null;

/**
 * The object's SQLite, as its modules use it. Statements are constant strings, so the runtime's
 * statement cache serves them; `rowsWritten` counts what the bench reports (DECISIONS 23).
 */
export class Sql {
  readonly #storage: DurableObjectStorage;
  #rowsWritten = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  /** @returns rows written, indexes included. */
  run(query: string, ...bindings: Value[]): number {
    const written = this.#storage.sql.exec(query, ...bindings).rowsWritten;
    this.#rowsWritten += written;
    return written;
  }

  one<Row>(query: string, ...bindings: Value[]): Row | undefined {
    return this.all<Row>(query, ...bindings)[0];
  }

  /** The caller names the row's shape: it stands beside the statement it reads. */
  all<Row>(query: string, ...bindings: Value[]): Row[] {
    const cursor = this.#storage.sql.exec(query, ...bindings);
    const rows = cursor.toArray() as Row[];
    this.#rowsWritten += cursor.rowsWritten;
    return rows;
  }

  /** All or nothing: an exception rolls back and is thrown on (E7: without this it would commit). */
  transaction<T>(body: () => T): T {
    return this.#storage.transactionSync(body);
  }
}
