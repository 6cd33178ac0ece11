/**
 * A Postgres for tests: PGlite behind Neon's HTTP protocol, so that the driver under test is the
 * one in production, to its last parser.
 */
import { PGlite } from "@electric-sql/pglite";
import { neonConfig } from "@neondatabase/serverless";
import { migrateNeon, neonMigrations } from "../../migrations/neon.ts";
import { APP_ROLE } from "../../migrations/print.ts";
import { neonTransaction } from "./neon-driver.ts";
import { type PgTransaction, neonPlatform } from "./neon.ts";
import type { PlatformScope } from "./scope.ts";

export type TestPostgres = {
  readonly pg: PGlite;
  readonly transact: PgTransaction;
  readonly platform: PlatformScope;
};

/** A new, empty database with every migration applied. */
export async function openPglite(): Promise<TestPostgres> {
  const pg = new PGlite();
  // The driver's fetch is a setting of the whole process: one database at a time.
  neonConfig.fetchFunction = async (_url: string, init: { readonly body: string }) => {
    const { status, body } = await answerSql(pg, init.body);
    return Response.json(body, { status });
  };
  const transact = neonTransaction("postgres://owner:none@db.test/berth");
  await migrateNeon(transact, neonMigrations());
  return { pg, transact, platform: neonPlatform(transact, APP_ROLE) };
}

type Sent = { readonly query: string; readonly params: unknown[] };

/** `POST /sql` with a batch: one transaction, every value as text (`Neon-Raw-Text-Output`). */
export async function answerSql(
  pg: PGlite,
  sent: string,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const { queries } = JSON.parse(sent) as { queries: Sent[] };
  try {
    const results = await pg.transaction(async (tx) => {
      const done = [];
      for (const { query, params } of queries) {
        const result = await tx.query<unknown[]>(query, params, {
          rowMode: "array",
          parsers: AS_TEXT,
        });
        done.push({ fields: result.fields, rows: result.rows });
      }
      return done;
    });
    return { status: 200, body: { results } };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    return { status: 400, body: { message, code } };
  }
}

/** bool, int8, int4, text, json, numeric, jsonb: what our statements can answer with. */
const AS_TEXT = Object.fromEntries(
  [16, 20, 23, 25, 114, 1700, 3802].map((oid) => [oid, (text: string) => text]),
);
