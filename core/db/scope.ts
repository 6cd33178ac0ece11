/**
 * Who may reach which rows.
 *
 * D1  A row of a tenant is reached only through a `TenantScope`; only `tenantScope` makes one.
 * D2  A `PlatformScope` is made by the two engines alone, and seen by tenants, host and key
 *     look-up, cron and the queue consumers.
 * D3  `batch` is the only transaction: preconditions stand in the statement, never before it.
 */
import type { BatchItem, BatchResponse } from "drizzle-orm/batch";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import { isId } from "../ids.ts";
import type { Actor } from "../principals/contract.ts";
import { DEFAULT_TIERS, type Tiers } from "../tiers/contract.ts";

/** One schema and one query language over both engines. Batches are atomic. */
export type Db = Omit<BaseSQLiteDatabase<"async", unknown>, "transaction" | "query" | "$cache"> & {
  batch<U extends BatchItem<"sqlite">, T extends Readonly<[U, ...U[]]>>(
    statements: T,
  ): Promise<BatchResponse<T>>;
};

// Not exported: a value that carries it was made here, so an object literal is no scope.
const made: unique symbol = Symbol("made here");

/** Which SQL a statement is read as; only what has two forms asks. */
type Engine = "sqlite" | "postgres";

export type PlatformScope = {
  readonly db: Db;
  readonly engine: Engine;
  /** A database whose transactions carry the tenant's id, for the second wall (row level security). */
  readonly forTenant: (tenantId: string) => Db;
  /** The installation's tiers: creations are bounded by them. */
  readonly tiers: Tiers;
  readonly [made]: "platform";
};

export type TenantScope = {
  readonly db: Db;
  readonly engine: Engine;
  readonly tenantId: string;
  /** Who acts: every change says so in its audit entry. */
  readonly by: Actor;
  readonly tiers: Tiers;
  readonly [made]: "tenant";
};

/** For the engines (`d1.ts`, `neon.ts`); nothing else has a reason to call it. */
export function platformScope(
  engine: Engine,
  db: Db,
  forTenant: (tenantId: string) => Db,
  tiers: Tiers = DEFAULT_TIERS,
): PlatformScope {
  return { db, engine, forTenant, tiers, [made]: "platform" };
}

/**
 * The one way into a tenant's rows.
 *
 * @param tenantId  A verified id: of the tenant that the host resolved to, or from a message or an
 *                  object name of our own. Never from a header, a body or a query.
 * @throws RangeError  when it does not have the form of a tenant id: a defect of the caller.
 */
export function tenantScope(platform: PlatformScope, tenantId: string): TenantScope {
  if (!isId("tenant", tenantId)) throw new RangeError("not a tenant id");
  const { engine, tiers } = platform;
  const db = platform.forTenant(tenantId);
  return { db, engine, tenantId, by: SYSTEM, tiers, [made]: "tenant" };
}

/** What nobody asked for: queues, cron, objects. */
const SYSTEM: Actor = { kind: "system", id: "system", address: null, requestId: null };

/** The same rows, on behalf of somebody. */
export function actingAs(scope: TenantScope, by: Actor): TenantScope {
  return { ...scope, by };
}
