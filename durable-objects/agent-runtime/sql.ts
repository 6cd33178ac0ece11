type Value = string | number | null;

/**
 * The object's SQLite, as its modules use it. Statements are constant strings, so the runtime's
 * statement cache serves them.
 */
export class Sql {
  readonly #storage: DurableObjectStorage;
  readonly #counting: boolean;
  #rowsWritten = 0;

  /** @param counting  Keep `rowsWritten` for the bench; asking each cursor has its price. */
  constructor(storage: DurableObjectStorage, counting: boolean) {
    this.#storage = storage;
    this.#counting = counting;
  }

  /** Rows written by this incarnation, index rows included (DECISIONS 23); 0 unless counting. */
  get rowsWritten(): number {
    return this.#rowsWritten;
  }

  run(query: string, ...bindings: Value[]): void {
    const cursor = this.#storage.sql.exec(query, ...bindings);
    if (this.#counting) this.#rowsWritten += cursor.rowsWritten;
  }

  one<Row>(query: string, ...bindings: Value[]): Row | undefined {
    return this.all<Row>(query, ...bindings)[0];
  }

  /** The caller names the row's shape: it stands beside the statement it reads. */
  all<Row>(query: string, ...bindings: Value[]): Row[] {
    const cursor = this.#storage.sql.exec(query, ...bindings);
    const rows = cursor.toArray() as Row[];
    if (this.#counting) this.#rowsWritten += cursor.rowsWritten;
    return rows;
  }

  /** All or nothing: an exception rolls back and is thrown on (E7: without this it would commit). */
  transaction<T>(body: () => T): T {
    return this.#storage.transactionSync(body);
  }
}
