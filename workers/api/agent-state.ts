/** /v1/agents/{id}/… — pausing, resuming and restarting what is live of an agent, and its health. */
import type { Context } from "hono";
import { z } from "zod";
import { Agent, AgentCondition } from "../../core/agents/contract.ts";
import { setPaused } from "../../core/agents/store-pause.ts";
import { record } from "../../core/audit/store-record.ts";
import type { TenantScope } from "../../core/db/scope.ts";
import { Problem } from "../../core/problem.ts";
import { listObjects, type ObjectPlace } from "../../core/runtime-objects/store.ts";
import type { AgentRuntimeRpc, Owner } from "../../durable-objects/agent-runtime/contract.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { replays } from "../edge/idempotency.ts";
import { permits } from "../edge/permits.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandEveryEnvironment, placeOf, reachAgent, reachSomewhere } from "./narrowing.ts";
import { ByIdOrSlug, etag } from "./parameters.ts";
import { runtimeOf } from "./runtime.ts";

/** More than all replicas of an agent in a tenant's environments. */
const MOST_OBJECTS = 1000;
/** Asked side by side: a Worker may have six connections open. */
const AT_ONCE = 6;

type Asking = Context<AppEnv & WithPrincipal>;

export const agentState = newRoutes()
  .post(
    "/:id/pause",
    may("agents:write", "Pause an agent: what comes is accepted and kept"),
    replays(),
    takes("param", ByIdOrSlug),
    answers(200, Agent, "The agent; nothing is begun for it until it is resumed."),
    (c) => setPausing(c, c.req.valid("param").id, true),
  )
  .post(
    "/:id/resume",
    may("agents:write", "Resume an agent: what was kept is run in its order"),
    replays(),
    takes("param", ByIdOrSlug),
    answers(200, Agent, "The agent."),
    (c) => setPausing(c, c.req.valid("param").id, false),
  )
  .post(
    "/:id/restart",
    may("agents:write", "Restart an agent: what runs goes on from its journal"),
    replays(),
    takes("param", ByIdOrSlug),
    answers(200, Agent, "The agent; its runs were interrupted, and are under way again."),
    async (c) => {
      const agent = await reachAgent(c, c.req.valid("param").id);
      demandEveryEnvironment(c.get("principal"));
      const scope = c.get("scope");
      await record(
        scope,
        { action: "agent.restarted", kind: "agent", id: agent.id },
        c.get("nowMs"),
      );
      await tellAll(c, agent.id, (runtime, owner) => runtime.restart(owner));
      return c.json(agent, 200, etag(agent.revision));
    },
  )
  .get(
    "/:id/health",
    may("agents:read", "How an agent's objects and their upstream are doing"),
    takes("param", ByIdOrSlug),
    answers(200, z.object({ data: z.array(AgentCondition) }), "One for each object."),
    async (c) => {
      const agent = await reachSomewhere(c, c.req.valid("param").id);
      const principal = c.get("principal");
      const seen = (await objectsOf(c.get("scope"), agent.id)).filter(({ environment }) =>
        permits(principal, { ...placeOf(agent), environment }),
      );
      return c.json({ data: await conditionsOf(c, seen) });
    },
  );

async function setPausing(c: Asking, idOrSlug: string, paused: boolean): Promise<Response> {
  const { id } = await reachAgent(c, idOrSlug);
  demandEveryEnvironment(c.get("principal"));
  const scope = c.get("scope");
  const agent = await setPaused(scope, id, paused, c.get("nowMs"));
  forgetLiveAgentsOf(c.get("services"), scope.tenantId);
  await tellAll(c, id, (runtime, owner) => runtime.refresh(owner));
  return c.json(agent, 200, etag(agent.revision));
}

/** One that has nothing installed yet has nothing to be told. */
async function tellAll(
  c: Asking,
  agentId: string,
  tell: (runtime: AgentRuntimeRpc, owner: Owner) => ReturnType<AgentRuntimeRpc["refresh"]>,
): Promise<void> {
  await ofEach(c, await objectsOf(c.get("scope"), agentId), async (runtime, owner) => {
    const told = await tell(runtime, owner);
    if (!told.ok && told.problem.code !== "not_found") throw Problem.from(told.problem);
  });
}

async function conditionsOf(
  c: Asking,
  objects: readonly ObjectPlace[],
): Promise<readonly AgentCondition[]> {
  const found = await ofEach(c, objects, async (runtime, owner) => {
    const condition = await runtime.condition(owner);
    if (!condition.ok) return [];
    const { environment, replica } = owner;
    const { paused, open, upstream, breakers } = condition;
    return [{ environment, replica, paused, open, upstream, breakers: [...breakers] }];
  });
  return found.flat();
}

async function ofEach<T>(
  c: Asking,
  objects: readonly ObjectPlace[],
  ask: (runtime: AgentRuntimeRpc, owner: Owner) => Promise<T>,
): Promise<readonly T[]> {
  const { tenantId } = c.get("scope");
  const answered: T[] = [];
  for (let i = 0; i < objects.length; i += AT_ONCE) {
    const some = objects.slice(i, i + AT_ONCE).map(({ agentId, environment, replica }) => {
      const owner = { tenantId, agentId, environment, replica };
      return ask(runtimeOf(c.env, owner), owner);
    });
    answered.push(...(await Promise.all(some)));
  }
  return answered;
}

function objectsOf(scope: TenantScope, agentId: string): Promise<readonly ObjectPlace[]> {
  return listObjects(scope, { agentId }, MOST_OBJECTS);
}
