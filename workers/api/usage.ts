/** /v1/usage — what the tenant's agents used and what it cost. */
import { z } from "zod";
import {
  UsageListQuery,
  UsageRecordWire,
  UsageTotal,
  UsageTotalsQuery,
} from "../../core/usage/contract.ts";
import { listUsage, usageTotals } from "../../core/usage/store.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { wholeTenant } from "../edge/permits.ts";
import {
  demandEveryEnvironment,
  demandWholeTenant,
  narrowed,
  permitted,
  reachAgent,
} from "./narrowing.ts";
import { pageSchema } from "./parameters.ts";

export const usage = newRoutes()
  .get(
    "/",
    may("usage:read", "List usage records"),
    takes("query", UsageListQuery),
    answers(200, pageSchema(UsageRecordWire), "One record for each model call, newest first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const page = await listUsage(c.get("scope"), query);
      const where = (row: UsageRecordWire) => ({
        agentId: row.agent_id,
        environment: row.environment,
      });
      return c.json(await permitted(c, page, where));
    },
  )
  .get(
    "/totals",
    may("usage:read", "Add usage up by day, agent or model"),
    takes("query", UsageTotalsQuery),
    answers(200, z.object({ data: z.array(UsageTotal) }), "Sums of the records that fit."),
    async (c) => {
      demandEveryEnvironment(c.get("principal"));
      const query = await narrowed(c, c.req.valid("query"));
      // A sum tells no rows apart: it is of the whole tenant, or of an agent that may be seen whole.
      if (query.agent === undefined) demandWholeTenant(c.get("principal"));
      else if (!wholeTenant(c.get("principal"))) await reachAgent(c, query.agent);
      return c.json({ data: await usageTotals(c.get("scope"), query) });
    },
  );
