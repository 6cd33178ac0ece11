/**
 * /v1/batches — many inputs of one agent at once. Its inputs are invocations: who may invoke the
 * agent may ask for a batch, who may read its invocations reads what became of it.
 */
import {
  Batch,
  BatchListQuery,
  BatchResult,
  BatchResultsQuery,
  CreateBatch,
  CreateBatchQuery,
} from "../../core/batches/contract.ts";
import { cancelBatch, findBatch, getBatch, listBatches } from "../../core/batches/store.ts";
import { Problem } from "../../core/problem.ts";
import { INVOKE_BODY_LIMIT } from "../edge/body.ts";
import { fingerprintOf, replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { wakeBatches } from "../jobs/batches.ts";
import { liveAgent } from "../serve/live-agents.ts";
import { recordAccess } from "./accesses.ts";
import { demandItems, type Intake, inputsAgain, placeBatch } from "./batch-intake.ts";
import { resultLines } from "./batch-results.ts";
import { demandCovered, narrowed, permitted, type Reach } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";

const JSON_LINES = "application/jsonl";

export const batches = newRoutes()
  .post(
    "/",
    may("agents:invoke", "Ask for a batch", { credits: 0, once: true }),
    takes("query", CreateBatchQuery),
    takes("json", CreateBatch, { limitBytes: INVOKE_BODY_LIMIT, lines: "inputs" }),
    answers(202, Batch, "The batch, accepted with all its inputs."),
    async (c) => {
      const { inputs, ...named } = c.req.valid("json");
      const { agent, environment = "prod" } = { ...c.req.valid("query"), ...named };
      if (agent === undefined) throw agentMissing();
      const arrival = c.get("arrival");
      const principal = c.get("principal");
      const live = await liveAgent({ arrival, principal, agent, environment });
      demandItems(principal, live, inputs);
      const fingerprint = fingerprintOf("POST", `batch ${live.agentId} ${environment}`, inputs);
      return answered(c, await placeBatch(c, { live, inputs, fingerprint, redrivenFrom: null }));
    },
  )
  .get(
    "/",
    may("invocations:read", "List batches"),
    takes("query", BatchListQuery),
    answers(200, pageSchema(Batch), "Batches, newest first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const page = await listBatches(c.get("scope"), query, c.get("nowMs"));
      const whereOf = ({ agent_id: agentId, environment }: Batch) => ({ agentId, environment });
      return c.json(await permitted(c, page, whereOf));
    },
  )
  .get(
    "/:id",
    may("invocations:read", "Get a batch"),
    takes("param", ById),
    answers(200, Batch, "The batch and how far it is."),
    async (c) => {
      const { id } = c.req.valid("param");
      await reachBatch(c, id);
      return c.json(await getBatch(c.get("scope"), id, c.get("nowMs")));
    },
  )
  .get(
    "/:id/results",
    may("invocations:read", "Read the results of a batch"),
    takes("param", ById),
    takes("query", BatchResultsQuery),
    answers(200, BatchResult, "A line of JSON for each input, in their order.", JSON_LINES),
    async (c) => {
      const { id } = c.req.valid("param");
      const { status } = c.req.valid("query");
      await reachBatch(c, id);
      await recordAccess(c, { action: "batch.results_read", kind: "batch", id });
      const lines = await resultLines(c, id, status);
      return c.body(lines, 200, { "content-type": JSON_LINES, "cache-control": "no-store" });
    },
  )
  .post(
    "/:id/cancel",
    may("invocations:write", "Cancel a batch"),
    replays(),
    takes("param", ById),
    answers(200, Batch, "The batch; what is open of it is being cancelled."),
    async (c) => {
      const { id } = c.req.valid("param");
      await reachBatch(c, id);
      const scope = c.get("scope");
      await cancelBatch(scope, id, c.get("nowMs"));
      await wakeBatches(c.env.BATCHES, [{ tenantId: scope.tenantId, batchId: id }]);
      return c.json(await getBatch(scope, id, c.get("nowMs")));
    },
  )
  .post(
    "/:id/redrive",
    may("agents:invoke", "Run the failures of a batch again", { credits: 0, once: true }),
    takes("param", ById),
    answers(202, Batch, "A new batch of those inputs, with `redriven_from`."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { agentId, environment } = await reachBatch(c, id);
      const arrival = c.get("arrival");
      const principal = c.get("principal");
      const live = await liveAgent({ arrival, principal, agent: agentId, environment });
      const inputs = await inputsAgain(c, id);
      demandItems(principal, live, inputs);
      const fingerprint = fingerprintOf("POST", `redrive ${id}`, null);
      return answered(c, await placeBatch(c, { live, inputs, fingerprint, redrivenFrom: id }));
    },
  );

/** The batch's row, when the principal may do to its agent what the route is for. */
async function reachBatch(c: Reach, id: string) {
  const batch = await findBatch(c.get("scope"), id);
  await demandCovered(c, batch, "batch");
  return batch;
}

async function answered(
  c: Intake,
  { id, made }: { readonly id: string; readonly made: boolean },
): Promise<Response> {
  const batch = await getBatch(c.get("scope"), id, c.get("arrival").nowMs);
  const headers = new Headers({ location: `/v1/batches/${id}` });
  if (!made) headers.set("idempotency-replayed", "true");
  return Response.json(batch, { status: 202, headers });
}

function agentMissing(): Problem {
  return new Problem("invalid", "the body does not fit its schema", {
    errors: [{ pointer: "/agent", detail: "required, here or in the query" }],
  });
}
