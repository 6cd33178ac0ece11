import { tally } from "../counters.ts";
import type { ContentSeal } from "./content-seal.ts";

export type Value = string | number | null;

/**
 * The object's SQLite, as its modules use it. Statements are constant strings, so the runtime's
 * statement cache serves them.
 */
export class Sql {
  /** What content is sealed with, once the object has it: ./content.ts asks for it. */
  sealing: ContentSeal | undefined;
  readonly #storage: DurableObjectStorage;
  readonly #counting: boolean;

  /** @param counting  Tally rows written for the bench (DECISIONS 23); asking has its price. */
  constructor(storage: DurableObjectStorage, counting: boolean) {
    this.#storage = storage;
    this.#counting = counting;
  }

  run(query: string, ...bindings: Value[]): void {
    const cursor = this.#storage.sql.exec(query, ...bindings);
    if (this.#counting) tally.rows_written += cursor.rowsWritten;
  }

  one<Row>(query: string, ...bindings: Value[]): Row | undefined {
    return this.all<Row>(query, ...bindings)[0];
  }

  /** The caller names the row's shape: it stands beside the statement it reads. */
  all<Row>(query: string, ...bindings: Value[]): Row[] {
    const cursor = this.#storage.sql.exec(query, ...bindings);
    const rows = cursor.toArray() as Row[];
    if (this.#counting) tally.rows_written += cursor.rowsWritten;
    return rows;
  }

  /** Row by row, for a reader that stops when it has enough. */
  *each<Row>(query: string, ...bindings: Value[]): Generator<Row, void> {
    for (const row of this.#storage.sql.exec(query, ...bindings)) yield row as Row;
  }

  /** All or nothing: an exception rolls back and is thrown on (E7: without this it would commit). */
  transaction<T>(body: () => T): T {
    return this.#storage.transactionSync(body);
  }
}
