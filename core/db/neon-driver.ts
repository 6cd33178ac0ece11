import { neon, types } from "@neondatabase/serverless";
import type { PgTransaction } from "./neon.ts";

const INT8 = 20;
const NUMERIC = 1700;

/**
 * Neon's HTTP driver behind the port: one round trip per transaction.
 *
 * `int8` arrives as text because it may pass 2^53; ours are epoch ms, tokens and micro-USD, which
 * do not. `numeric` is what Postgres makes of a sum over `int8`.
 */
export function neonTransaction(databaseUrl: string): PgTransaction {
  const sql = neon(databaseUrl, {
    arrayMode: true,
    fullResults: false,
    types: {
      getTypeParser: (id, format) =>
        id === INT8 || id === NUMERIC ? Number : types.getTypeParser(id, format),
    },
  });
  return (statements) =>
    sql.transaction(statements.map((statement) => sql.query(statement.sql, [...statement.params])));
}
