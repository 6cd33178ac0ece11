/** Deployments, under their agent and by their own id. Carrying them out is workers/jobs. */
import {
  CreateDeployment,
  Deployment,
  DeploymentSummary,
} from "../../core/deployments/contract.ts";
import { createDeployment } from "../../core/deployments/store.ts";
import { getDeployment, listDeployments } from "../../core/deployments/store-reads.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { announceDeployment } from "../jobs/announce.ts";
import { missing } from "../edge/permits.ts";
import { type Reach, demandCovered, permitted, reachAgent, reachSomewhere } from "./narrowing.ts";
import { ById, ByIdOrSlug, Id, pageSchema } from "./parameters.ts";

/** /v1/agents/{id}/deployments */
export const agentDeployments = newRoutes()
  .post(
    "/:id/deployments",
    may("deployments:write", "Deploy a version"),
    replays(),
    takes("param", ByIdOrSlug),
    takes("json", CreateDeployment),
    answers(202, Deployment, "Queued; `Location` tells how it goes on."),
    async (c) => {
      const wanted = c.req.valid("json");
      const { id } = await reachAgent(c, c.req.valid("param").id, wanted.environment);
      const scope = c.get("scope");
      const { deployment, outboxId } = await createDeployment(scope, id, wanted, c.get("nowMs"));
      const { tenantId } = scope;
      await announceDeployment(c.env.DEPLOYMENTS, {
        outboxId,
        tenantId,
        deploymentId: deployment.id,
      });
      return c.json(deployment, 202, { location: `/v1/deployments/${deployment.id}` });
    },
  )
  .get(
    "/:id/deployments",
    may("deployments:read", "List an agent's deployments"),
    takes("param", ByIdOrSlug),
    takes("query", PageQuery),
    answers(200, pageSchema(DeploymentSummary), "Deployments, newest first."),
    async (c) => {
      const { id: agentId } = await reachSomewhere(c, c.req.valid("param").id);
      const page = await listDeployments(c.get("scope"), agentId, c.req.valid("query"));
      return c.json(await permitted(c, page, ({ environment }) => ({ agentId, environment })));
    },
  )
  .get(
    "/:id/deployments/:deployment",
    may("deployments:read", "Get an agent's deployment with its events"),
    takes("param", ByIdOrSlug.extend({ deployment: Id })),
    answers(200, Deployment, "The deployment and its transitions."),
    async (c) => {
      const { id, deployment } = c.req.valid("param");
      const agent = await reachSomewhere(c, id);
      const reached = await reachDeployment(c, deployment);
      if (reached.agent_id !== agent.id) throw missing("deployment");
      return c.json(reached);
    },
  );

/** /v1/deployments */
export const deployments = newRoutes().get(
  "/:id",
  may("deployments:read", "Get a deployment with its events"),
  takes("param", ById),
  answers(200, Deployment, "The deployment and its transitions."),
  async (c) => c.json(await reachDeployment(c, c.req.valid("param").id)),
);

/** @throws Problem `not_found` */
async function reachDeployment(c: Reach, id: string): Promise<Deployment> {
  const deployment = await getDeployment(c.get("scope"), id);
  const { agent_id: agentId, environment } = deployment;
  await demandCovered(c, { agentId, environment }, "deployment");
  return deployment;
}
