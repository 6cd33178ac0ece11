/** /v1/projects — the parts of a tenant that agents belong to. */
import { CreateProject, Project, ProjectPatch } from "../../core/projects/contract.ts";
import {
  createProject,
  deleteProject,
  getProject,
  listProjects,
  patchProject,
} from "../../core/projects/store.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { missing } from "../edge/permits.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import type { Reach } from "./narrowing.ts";
import { AtRevision, ByIdOrSlug, etag, pageSchema } from "./parameters.ts";

export const projects = newRoutes()
  .post(
    "/",
    may("projects:write", "Create a project"),
    replays(),
    takes("json", CreateProject),
    answers(201, Project, "The project, without agents."),
    async (c) => {
      const made = await createProject(c.get("scope"), c.req.valid("json"), c.get("nowMs"));
      return c.json(made, 201, { ...etag(made.revision), location: `/v1/projects/${made.id}` });
    },
  )
  .get(
    "/",
    may("projects:read", "List projects"),
    takes("query", PageQuery),
    answers(200, pageSchema(Project), "Projects the credential covers, the default one first."),
    async (c) => {
      const { projectId } = c.get("principal");
      if (projectId !== undefined) {
        return c.json({
          data: [await reachProject(c, c.get("nowMs"), projectId)],
          next_cursor: null,
        });
      }
      return c.json(await listProjects(c.get("scope"), c.req.valid("query"), c.get("nowMs")));
    },
  )
  .get(
    "/:id",
    may("projects:read", "Get a project"),
    takes("param", ByIdOrSlug),
    answers(200, Project, "The project."),
    async (c) => {
      const found = await reachProject(c, c.get("nowMs"), c.req.valid("param").id);
      return c.json(found, 200, etag(found.revision));
    },
  )
  .patch(
    "/:id",
    may("projects:write", "Change a project"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    takes("json", ProjectPatch),
    answers(200, Project, "The project as changed."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const changed = await patchProject(c.get("scope"), id, revision, patch, c.get("nowMs"));
      return c.json(changed, 200, etag(changed.revision));
    },
  )
  .delete(
    "/:id",
    may("projects:write", "Delete a project without agents"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    answers(204, null, "It is gone."),
    async (c) => {
      const { "if-match": revision } = c.req.valid("header");
      await deleteProject(c.get("scope"), c.req.valid("param").id, revision, c.get("nowMs"));
      return c.body(null, 204);
    },
  );

/** @throws Problem `not_found`, also for another project than the one the principal is narrowed to */
async function reachProject(c: Reach, nowMs: number, idOrSlug: string): Promise<Project> {
  const found = await getProject(c.get("scope"), idOrSlug, nowMs);
  const { projectId } = c.get("principal");
  if (projectId !== undefined && found.id !== projectId) throw missing("project");
  return found;
}
