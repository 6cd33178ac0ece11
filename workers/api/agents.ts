/** /v1/agents — define and change agents. Running them is workers/serve. */
import { Agent, AgentListQuery, AgentPatch, CreateAgent } from "../../core/agents/contract.ts";
import { createAgent, deleteAgent, listAgents, patchAgent } from "../../core/agents/store.ts";
import { ownerOf } from "../../core/principals/contract.ts";
import { DEFAULT_PROJECT } from "../../core/projects/contract.ts";
import { findProjectId, noSuchProject } from "../../core/projects/store.ts";
import { replays } from "../edge/idempotency.ts";
import { looksAtAgents, notWhole, permits, permitsNew } from "../edge/permits.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import {
  type Reach,
  demandEveryEnvironment,
  demandWholeTenant,
  placeOf,
  reachAgent,
} from "./narrowing.ts";
import { AtRevision, ByIdOrSlug, etag, pageSchema } from "./parameters.ts";

export const agents = newRoutes()
  .post(
    "/",
    may("agents:write", "Create an agent"),
    replays(),
    takes("json", CreateAgent),
    answers(201, Agent, "The agent, with a first draft."),
    async (c) => {
      const wanted = c.req.valid("json");
      await demandNew(c, wanted);
      const agent = await createAgent(c.get("scope"), wanted, c.get("nowMs"));
      return c.json(agent, 201, { ...etag(agent.revision), location: `/v1/agents/${agent.id}` });
    },
  )
  .get(
    "/",
    may("agents:read", "List agents"),
    takes("query", AgentListQuery),
    answers(200, pageSchema(Agent), "Agents the credential covers, in the order they were made."),
    async (c) => {
      const principal = c.get("principal");
      if (principal.agentId !== undefined) {
        return c.json({ data: [await reachAgent(c, principal.agentId)], next_cursor: null });
      }
      const query = { project: principal.projectId, ...c.req.valid("query") };
      const page = await listAgents(c.get("scope"), query);
      const seen = page.data.filter((agent) => permits(principal, placeOf(agent)));
      return c.json({ ...page, data: seen });
    },
  )
  .get(
    "/:id",
    may("agents:read", "Get an agent"),
    takes("param", ByIdOrSlug),
    answers(200, Agent, "The agent."),
    async (c) => {
      const agent = await reachAgent(c, c.req.valid("param").id);
      return c.json(agent, 200, etag(agent.revision));
    },
  )
  .patch(
    "/:id",
    may("agents:write", "Change an agent"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    takes("json", AgentPatch),
    answers(200, Agent, "The agent as changed."),
    async (c) => {
      const before = await reachAgent(c, c.req.valid("param").id);
      demandEveryEnvironment(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const scope = c.get("scope");
      await demandMoved(c, before, patch);
      const agent = await patchAgent(scope, before.id, revision, patch, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.json(agent, 200, etag(agent.revision));
    },
  )
  .delete(
    "/:id",
    may("agents:write", "Delete an agent"),
    takes("param", ByIdOrSlug),
    takes("header", AtRevision),
    answers(204, null, "It is gone, and so is its address."),
    async (c) => {
      const { id } = await reachAgent(c, c.req.valid("param").id);
      demandEveryEnvironment(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      await deleteAgent(scope, id, revision, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      return c.body(null, 204);
    },
  );

/**
 * An agent made like this is the principal's to make.
 *
 * @throws Problem `forbidden`; `invalid` for a project that is not there, or not its to know
 */
async function demandNew(c: Reach, { project, tags }: CreateAgent): Promise<void> {
  const principal = c.get("principal");
  if (principal.grants === undefined && principal.projectId === undefined) {
    demandWholeTenant(principal);
    return;
  }
  const projectId = await findProjectId(c.get("scope"), project ?? DEFAULT_PROJECT);
  const facts = { projectId, tags: tags ?? [], ownerId: ownerOf(principal) };
  if (permitsNew(principal, facts)) return;
  throw project === undefined ? notWhole() : noSuchProject();
}

/**
 * The agent as it would be is the principal's to change too: nobody moves one out of what they are
 * held to, or by its tags past what denies it.
 *
 * @throws Problem `forbidden`; `invalid` for a project that is not there, or not its to know
 */
async function demandMoved(c: Reach, agent: Agent, { project, tags }: AgentPatch): Promise<void> {
  const principal = c.get("principal");
  if (!looksAtAgents(principal)) return;
  const place = placeOf(agent);
  const projectId =
    project === undefined ? place.projectId : await findProjectId(c.get("scope"), project);
  if (permits(principal, { ...place, projectId, tags: tags ?? agent.tags })) return;
  throw project === undefined ? notWhole() : noSuchProject();
}
