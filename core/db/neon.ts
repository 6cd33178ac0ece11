/**
 * The control plane on Postgres: the SQLite-dialect statements through one transaction each.
 *
 * Every statement, and every batch, is a transaction that first takes the role without BYPASSRLS
 * and says whose it is (`app.tenant_id` or `app.platform`). Both settings are local to the
 * transaction, so a pooled connection carries nothing over to the next one.
 */
import { drizzle } from "drizzle-orm/sqlite-proxy";
import type { Tiers } from "../tiers/contract.ts";
import { numbered } from "./placeholders.ts";
import { type Db, type PlatformScope, platformScope } from "./scope.ts";

type PgStatement = { readonly sql: string; readonly params: readonly unknown[] };

/** Rows in column order; `int8` and `numeric` already as numbers. */
type PgRows = readonly (readonly unknown[])[];

/** The driver's port: run all in one transaction, answer the rows of each. */
export type PgTransaction = (statements: readonly PgStatement[]) => Promise<readonly PgRows[]>;

type Method = "run" | "all" | "values" | "get";
type Query = { readonly sql: string; readonly params: readonly unknown[]; readonly method: Method };

/**
 * @param role  Taken with SET LOCAL ROLE; null when the connection's own role is already bound by
 *              row level security (no superuser, no BYPASSRLS, not the owner without FORCE).
 */
export function neonPlatform(
  transact: PgTransaction,
  role: string | null,
  tiers?: Tiers,
): PlatformScope {
  const setRole = role === null ? [] : [{ sql: `set local role ${quoted(role)}`, params: [] }];
  const under = (name: string, value: string): Db => {
    const setting = { sql: "select set_config($1, $2, true)", params: [name, value] };
    return proxied(transact, [...setRole, setting]);
  };
  return platformScope(
    "postgres",
    under("app.platform", "on"),
    (tenantId) => under("app.tenant_id", tenantId),
    tiers,
  );
}

function proxied(transact: PgTransaction, prologue: readonly PgStatement[]): Db {
  const run = async (queries: readonly Query[]) => {
    const statements = queries.map(({ sql, params }) => ({
      sql: numbered(sql),
      params: params.map(withoutNul),
    }));
    const results = await transact([...prologue, ...statements]);
    return queries.map(({ method }, index) => {
      const rows = [...(results[prologue.length + index] ?? [])];
      // Drizzle's proxy wants the bare row for `get`, and undefined for none; its types say any[].
      return { rows: (method === "get" ? rows[0] : rows) as unknown[] };
    });
  };
  return drizzle(
    async (sql, params: unknown[], method) => {
      const [result] = await run([{ sql, params, method }]);
      return result ?? { rows: [] };
    },
    async (queries) => run(queries),
  );
}

/**
 * Postgres takes no NUL in text and fails the statement. No contract lets one be stored, so it can
 * only come with a look-up, which then finds what it would find on D1: nothing.
 */
function withoutNul(param: unknown): unknown {
  return typeof param === "string" ? param.replaceAll("\u0000", "\ufffd") : param;
}

function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
