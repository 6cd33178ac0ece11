import { neon, types } from "@neondatabase/serverless";
import type { PgTransaction } from "./neon.ts";

const INT8 = 20;
const NUMERIC = 1700;

/**
 * `int8` arrives as text because it may pass 2^53; ours are epoch ms, tokens and micro-USD, which
 * do not. `numeric` is what Postgres makes of a sum over `int8`.
 */
const NUMBERS = {
  getTypeParser: (id: number, format?: "text" | "binary") =>
    id === INT8 || id === NUMERIC ? Number : types.getTypeParser(id, format),
};

/** Neon's HTTP driver behind the port: one round trip per transaction. */
export function neonTransaction(databaseUrl: string): PgTransaction {
  const sql = neon(databaseUrl, { arrayMode: true });
  return (statements) =>
    sql.transaction(
      // In a transaction the driver reads a statement's own parsers, not those given to neon().
      statements.map(({ sql: text, params }) => sql.query(text, [...params], { types: NUMBERS })),
    );
}
