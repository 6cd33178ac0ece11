/**
 * /v1/roles, /v1/assignments and /v1/admin/permissions — who may do what. Nobody gives more than
 * they hold, and the last administrator stays.
 */
import {
  Assignment,
  AssignmentListQuery,
  CreateAssignment,
  CreateRole,
  Permission,
  Role,
  RolePatch,
} from "../../core/access/contract.ts";
import {
  createAssignment,
  deleteAssignment,
  getAssignment,
  listAssignments,
} from "../../core/access/store-assignments.ts";
import {
  createRole,
  deleteRole,
  getRole,
  listRoles,
  patchRole,
} from "../../core/access/store-roles.ts";
import { permissions as allPermissions } from "../../core/access/words.ts";
import { PageQuery } from "../../core/page.ts";
import { forgetAccess } from "../edge/access.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { AtRevision, ById, ByIdOrSlug, etag, pageSchema } from "./parameters.ts";

export const roles = newRoutes()
  .post(
    "/",
    may("roles:write", "Create a role"),
    replays(),
    takes("json", CreateRole),
    answers(201, Role, "The role; agents and projects in its conditions are named by id."),
    async (c) => {
      const wanted = c.req.valid("json");
      const role = await createRole(c.get("scope"), c.get("principal"), wanted, c.get("nowMs"));
      return c.json(role, 201, { ...etag(role.revision), location: `/v1/roles/${role.id}` });
    },
  )
  .get(
    "/",
    may("roles:read", "List roles"),
    takes("query", PageQuery),
    answers(200, pageSchema(Role), "Built-in roles first, then the tenant's own."),
    async (c) => c.json(await listRoles(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("roles:read", "Get a role"),
    takes("param", ByIdOrSlug),
    answers(200, Role, "The role with its statements."),
    async (c) => {
      const role = await getRole(c.get("scope"), c.req.valid("param").id);
      return c.json(role, 200, etag(role.revision));
    },
  )
  .patch(
    "/:id",
    may("roles:write", "Change a role"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    takes("json", RolePatch),
    answers(200, Role, "The role; who holds it holds what it now says."),
    async (c) => {
      const { "if-match": revision } = c.req.valid("header");
      const change = { ...c.req.valid("param"), revision, patch: c.req.valid("json") };
      const scope = c.get("scope");
      const role = await patchRole(scope, c.get("principal"), change, c.get("nowMs"));
      forgetAccess(c.get("services"), scope.tenantId);
      return c.json(role, 200, etag(role.revision));
    },
  )
  .delete(
    "/:id",
    may("roles:write", "Delete a role that nobody holds"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    answers(204, null, "It is gone."),
    async (c) => {
      const { "if-match": revision } = c.req.valid("header");
      await deleteRole(c.get("scope"), c.req.valid("param").id, revision, c.get("nowMs"));
      return c.body(null, 204);
    },
  );

export const assignments = newRoutes()
  .post(
    "/",
    may("roles:write", "Assign a role"),
    replays(),
    takes("json", CreateAssignment),
    answers(201, Assignment, "The assignment; it counts within the cache time."),
    async (c) => {
      const scope = c.get("scope");
      const wanted = c.req.valid("json");
      const made = await createAssignment(scope, c.get("principal"), wanted, c.get("nowMs"));
      forgetAccess(c.get("services"), scope.tenantId);
      return c.json(made, 201, { location: `/v1/assignments/${made.id}` });
    },
  )
  .get(
    "/",
    may("roles:read", "List assignments"),
    takes("query", AssignmentListQuery),
    answers(200, pageSchema(Assignment), "Assignments in the order they were made."),
    async (c) => c.json(await listAssignments(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("roles:read", "Get an assignment"),
    takes("param", ById),
    answers(200, Assignment, "The assignment."),
    async (c) => c.json(await getAssignment(c.get("scope"), c.req.valid("param").id)),
  )
  .delete(
    "/:id",
    may("roles:write", "Take a role away"),
    takes("param", ById),
    answers(204, null, "It is gone; what it gave ends within the cache time."),
    async (c) => {
      const scope = c.get("scope");
      const { id } = c.req.valid("param");
      await deleteAssignment(scope, c.get("principal"), id, c.get("nowMs"));
      forgetAccess(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  );

export const permissions = newRoutes().get(
  "/",
  may("roles:read", "List permissions"),
  answers(200, pageSchema(Permission), "Every scope a role can hold, with words."),
  (c) => c.json({ data: allPermissions(), next_cursor: null }),
);
