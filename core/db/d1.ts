import { drizzle } from "drizzle-orm/d1";
import type { Tiers } from "../tiers/contract.ts";
import { type PlatformScope, platformScope } from "./scope.ts";

/** The control plane on D1. It has no row level security: the scope in each statement is the wall. */
export function d1Platform(database: D1Database, tiers?: Tiers): PlatformScope {
  const db = drizzle(database);
  return platformScope("sqlite", db, () => db, tiers);
}
