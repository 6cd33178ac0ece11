import { count, eq } from "drizzle-orm";
import type { SQLiteColumn, SQLiteTable } from "drizzle-orm/sqlite-core";
import { oneAgent } from "../agents/live.ts";
import { agent } from "../agents/table.ts";
import type { TenantScope } from "../db/scope.ts";
import { oneKey } from "../keys/store.ts";
import { key } from "../keys/table.ts";
import { Problem } from "../problem.ts";
import { findProjectId } from "../projects/store.ts";
import { EACH, type Level } from "./contract.ts";

/** Most limits, budgets or stops of one tenant: every release carries those that concern it. */
const MOST = 200;

/**
 * The subject as it is stored: an id where a slug was given, a rotated key's first, empty for the
 * tenant.
 *
 * @throws Problem `invalid` at `/subject` for what the tenant has not
 */
export async function storedSubject(
  scope: TenantScope,
  level: Level,
  subject: string | undefined,
): Promise<string> {
  if (subject === undefined) return "";
  if (subject === EACH || level === "user") return subject;
  if (level === "project") return findProjectId(scope, subject).catch(() => none(level));
  if (level === "agent") {
    const [row] = await scope.db
      .select({ id: agent.id })
      .from(agent)
      .where(oneAgent(scope, subject));
    return row?.id ?? none(level);
  }
  const [row] = await scope.db
    .select({ id: key.id, meterId: key.meterId })
    .from(key)
    .where(oneKey(scope, subject));
  return row?.meterId ?? row?.id ?? none(level);
}

/** The same as the wire has it: null for the tenant. */
export function shownSubject(stored: string): string | null {
  return stored === "" ? null : stored;
}

/** @throws Problem `quota_exceeded` when the tenant has as many as there may be */
export async function demandFew<T extends SQLiteTable & { tenantId: SQLiteColumn }>(
  { db, tenantId }: TenantScope,
  table: T,
  noun: string,
): Promise<void> {
  const [row] = await db.select({ n: count() }).from(table).where(eq(table.tenantId, tenantId));
  if ((row?.n ?? 0) < MOST) return;
  throw new Problem("quota_exceeded", `a tenant has at most ${MOST} ${noun}s`);
}

/** The refusal of a second one about the same. */
export function alreadyAimed(noun: string): Problem {
  return new Problem("already_exists", `there is a ${noun} about that already`, {
    errors: [{ pointer: "/subject", detail: "taken" }],
  });
}

function none(level: Level): never {
  throw new Problem("invalid", "the body does not fit its schema", {
    errors: [{ pointer: "/subject", detail: `no such ${level}` }],
  });
}
