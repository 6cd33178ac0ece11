import { type SQL, and, eq } from "drizzle-orm";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { TenantScope } from "../db/scope.ts";
import { insertWhere } from "../db/statements.ts";
import { newId } from "../ids.ts";
import { user } from "../users/table.ts";
import { member } from "./table.ts";

/** Who becomes a user and a member at once: nobody is one without the other. */
export type Joining = {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly role: string;
  readonly passwordHash: string | null;
  readonly verifiedAtMs: number | null;
};

/**
 * The user and the membership, as statements of the batch in which `where` finds a row of `from`:
 * an invitation that was accepted, a registration that was confirmed.
 */
export function joiningWhere(
  { db, tenantId }: TenantScope,
  { role, ...person }: Joining,
  from: SQLiteTable,
  where: SQL | undefined,
  nowMs: number,
) {
  const of = { tenantId, createdAtMs: nowMs, revision: 1 };
  const place = { ...of, id: newId("member", nowMs), userId: person.id, role };
  return [
    insertWhere(db, user, { ...of, ...person }, from, where),
    insertWhere(db, member, place, user, and(eq(user.tenantId, tenantId), eq(user.id, person.id))),
  ] as const;
}
