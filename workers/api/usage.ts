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
import { demandEveryEnvironment, narrowed, withinEnvironment } from "./narrowing.ts";
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
      return c.json(withinEnvironment(c.get("principal"), page));
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
      return c.json({ data: await usageTotals(c.get("scope"), query) });
    },
  );
