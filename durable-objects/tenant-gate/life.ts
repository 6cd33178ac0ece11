import { refuse, type Refusal } from "../../core/problem.ts";
import type {
  Acknowledged,
  ObjectCursor,
  ObjectPage,
  ObjectRow,
} from "../agent-runtime/contract.ts";
import { Sql } from "../agent-runtime/sql.ts";
import { exportRows, importRows } from "../agent-runtime/transfer.ts";
import { migrateGate } from "./tables.ts";

/**
 * What the gate is, counters that are over in moments, and counts that isolates tell some seconds
 * late: a file that held them would not be the same twice.
 */
const LEFT_BEHIND = ["meta", "schema", "rate", "key_use"];

type Arrival = {
  /** It was nobody's when the call came in. */
  readonly fresh: boolean;
  readonly readable: (row: ObjectRow) => boolean;
};

/** A gate's moves and end. Erased is for good, but for an import that an operator asks for. */
export class GateLife {
  readonly #storage: DurableObjectStorage;
  readonly #sql: Sql;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    this.#sql = new Sql(storage, false);
  }

  exportPage(cursor: ObjectCursor | undefined): ObjectPage {
    return exportRows(this.#sql, LEFT_BEHIND, cursor);
  }

  importPage(
    transfer: string,
    rows: readonly ObjectRow[],
    { fresh, readable }: Arrival,
  ): Acknowledged | Refusal {
    if (fresh) {
      this.#sql.run("DELETE FROM meta WHERE key = 'erased'");
      this.#sql.run("INSERT INTO meta VALUES ('arrived', ?)", transfer);
    }
    const [arrived] = this.#sql.all<{ value: string }>(
      "SELECT value FROM meta WHERE key = 'arrived'",
    );
    return arrived?.value === transfer
      ? importRows(this.#sql, LEFT_BEHIND, rows, readable)
      : refuse("conflict", "the tenant's gate is there");
  }

  /** A tombstone stays: what is told late, of a key's use say, makes no gate of it again. */
  async erase(): Promise<Acknowledged> {
    await this.#storage.deleteAlarm();
    await this.#storage.deleteAll();
    migrateGate(this.#storage);
    this.#sql.run("INSERT INTO meta VALUES ('erased', ?)", String(Date.now()));
    return { ok: true };
  }

  get erased(): boolean {
    return this.#sql.one("SELECT 1 FROM meta WHERE key = 'erased'") !== undefined;
  }
}
