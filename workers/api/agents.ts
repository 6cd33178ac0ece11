/** /v1/agents — define and change agents. Running them is workers/serve. */
import { Agent, AgentPatch, CreateAgent } from "../../core/agents/contract.ts";
import { createAgent, deleteAgent, listAgents, patchAgent } from "../../core/agents/store.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandEveryEnvironment, demandWholeTenant, reachAgent } from "./narrowing.ts";
import { AtRevision, ByIdOrSlug, etag, pageSchema } from "./parameters.ts";

export const agents = newRoutes()
  .post(
    "/",
    may("agents:write", "Create an agent"),
    replays(),
    takes("json", CreateAgent),
    answers(201, Agent, "The agent, with a first draft."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const agent = await createAgent(c.get("scope"), c.req.valid("json"), c.get("nowMs"));
      return c.json(agent, 201, { ...etag(agent.revision), location: `/v1/agents/${agent.id}` });
    },
  )
  .get(
    "/",
    may("agents:read", "List agents"),
    takes("query", PageQuery),
    answers(200, pageSchema(Agent), "Agents the credential covers, in the order they were made."),
    async (c) => {
      const { agentId } = c.get("principal");
      if (agentId === undefined) {
        return c.json(await listAgents(c.get("scope"), c.req.valid("query")));
      }
      return c.json({ data: [await reachAgent(c, agentId)], next_cursor: null });
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
      const { id } = await reachAgent(c, c.req.valid("param").id);
      demandEveryEnvironment(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const patch = c.req.valid("json");
      const scope = c.get("scope");
      const agent = await patchAgent(scope, id, revision, patch, c.get("nowMs"));
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
