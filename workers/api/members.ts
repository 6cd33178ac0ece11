/** /v1/members — who belongs to the tenant, and as what. */
import type { Role } from "../../core/access/contract.ts";
import { findAccess } from "../../core/access/store.ts";
import { demandGivable, getRole, lifted } from "../../core/access/store-roles.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { Member, MemberPatch } from "../../core/members/contract.ts";
import { getMember, listMembers, patchMember, removeMember } from "../../core/members/store.ts";
import { PageQuery } from "../../core/page.ts";
import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";
import { forgetUser } from "../auth/sign-in.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";

export const members = newRoutes()
  .get(
    "/",
    may("members:read", "List members"),
    takes("query", PageQuery),
    answers(200, pageSchema(Member), "Members in the order they joined."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listMembers(c.get("scope"), c.req.valid("query")));
    },
  )
  .get(
    "/:id",
    may("members:read", "Get a member"),
    takes("param", ById),
    answers(200, Member, "The member."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const member = await getMember(c.get("scope"), c.req.valid("param").id);
      return c.json(member, 200, etag(member.revision));
    },
  )
  .patch(
    "/:id",
    may("members:write", "Give a member another role"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", MemberPatch),
    answers(200, Member, "The member; what it may changes within the cache time."),
    async (c) => {
      const [scope, principal] = [c.get("scope"), c.get("principal")];
      demandWholeTenant(principal);
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const before = await demandManageable(scope, principal, id);
      const role = await givableRole(scope, principal, c.req.valid("json").role);
      demandGivable(principal, lifted(before.statements, role.statements), "/role");
      const member = await patchMember(scope, id, revision, role, c.get("nowMs"));
      forgetUser(c.get("arrival"), member.user_id);
      return c.json(member, 200, etag(member.revision));
    },
  )
  .delete(
    "/:id",
    may("members:write", "Remove a member"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "Gone, with every session, token and personal key it had."),
    async (c) => {
      const [scope, principal] = [c.get("scope"), c.get("principal")];
      demandWholeTenant(principal);
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      await demandRemovable(scope, principal, id);
      const userId = await removeMember(scope, id, revision, c.get("nowMs"));
      forgetUser(c.get("arrival"), userId);
      return c.body(null, 204);
    },
  );

/**
 * The role of that slug, when the principal holds all that it allows.
 *
 * @throws Problem `invalid` for one there is not | `forbidden`
 */
export async function givableRole(
  scope: TenantScope,
  principal: Principal,
  slug: string,
): Promise<Role> {
  const role = await roleOf(scope, slug);
  if (role === undefined) {
    throw new Problem("invalid", "there is no such role", {
      errors: [{ pointer: "/role", detail: "no such role" }],
    });
  }
  demandGivable(principal, role.statements, "/role");
  return role;
}

/**
 * A member whose role allows more than the principal holds is not the principal's to change.
 *
 * @throws Problem `not_found` | `forbidden`
 */
async function demandManageable(
  scope: TenantScope,
  principal: Principal,
  id: string,
): Promise<Pick<Role, "statements">> {
  const { role } = await getMember(scope, id);
  return demandRole(scope, principal, role);
}

/**
 * What stands under a role, held or promised, is the principal's to change when it holds all that
 * the role allows.
 *
 * @throws Problem `forbidden`
 */
export async function demandRole(
  scope: TenantScope,
  principal: Principal,
  slug: string,
): Promise<Pick<Role, "statements">> {
  // A role that is gone holds nothing.
  const held = (await roleOf(scope, slug)) ?? { statements: [] };
  demandGivable(principal, held.statements, "/role");
  return held;
}

/**
 * Who is removed loses what they were assigned too: all of it must be the principal's to take.
 *
 * @throws Problem `not_found` | `forbidden`
 */
async function demandRemovable(
  scope: TenantScope,
  principal: Principal,
  id: string,
): Promise<void> {
  const { user_id: userId } = await getMember(scope, id);
  const access = await findAccess(scope, "user", userId);
  demandGivable(principal, access?.grants ?? [], "/role");
}

async function roleOf(scope: TenantScope, slug: string): Promise<Role | undefined> {
  try {
    return await getRole(scope, slug);
  } catch (error) {
    if (error instanceof Problem && error.code === "not_found") return undefined;
    throw error;
  }
}
