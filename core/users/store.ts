import { and, eq } from "drizzle-orm";
import type { TenantScope } from "../db/scope.ts";
import { Problem } from "../problem.ts";
import type { User } from "./contract.ts";
import { user } from "./table.ts";

/** @throws Problem `not_found` */
export async function getUser(scope: TenantScope, id: string): Promise<User> {
  const [row] = await scope.db
    .select({ id: user.id, email: user.email, name: user.name })
    .from(user)
    .where(and(eq(user.tenantId, scope.tenantId), eq(user.id, id)));
  if (row === undefined) throw new Problem("not_found", "no such user");
  return row;
}
