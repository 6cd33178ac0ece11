import { neon, neonConfig, types } from "@neondatabase/serverless";
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

/**
 * The `host:port` of a database on this very machine, which is spoken to in plain HTTP at its own
 * port: a proxy in front of a local Postgres, or a test's. Undefined for every other.
 */
export function loopbackDatabase(databaseUrl: string): string | undefined {
  const { hostname, port } = new URL(databaseUrl);
  return LOOPBACK.test(hostname) ? `${hostname}:${port || "5432"}` : undefined;
}

const LOOPBACK = /^(?:127\.0\.0\.1|localhost)$/;

/** Neon's HTTP driver behind the port: one round trip per transaction. */
export function neonTransaction(databaseUrl: string): PgTransaction {
  const local = loopbackDatabase(databaseUrl);
  // A setting of the whole process, which has one database.
  if (local !== undefined) neonConfig.fetchEndpoint = `http://${local}/sql`;
  const sql = neon(databaseUrl, { arrayMode: true });
  return (statements) =>
    sql.transaction(
      // In a transaction the driver reads a statement's own parsers, not those given to neon().
      statements.map(({ sql: text, params }) => sql.query(text, [...params], { types: NUMBERS })),
    );
}
