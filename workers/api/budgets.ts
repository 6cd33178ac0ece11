/** /v1/budgets — how much may be spent by the tenant, a part of it, a key or a user. */
import { z } from "zod";
import { Budget, BudgetPatch, BudgetUse, CreateBudget } from "../../core/budgets/contract.ts";
import {
  createBudget,
  deleteBudget,
  getBudget,
  listBudgets,
  patchBudget,
} from "../../core/budgets/store.ts";
import { rfc3339 } from "../../core/clock.ts";
import { usd } from "../../core/invocations/contract.ts";
import { PageQuery } from "../../core/page.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { forgetLiveAgentsOf } from "../serve/live-agents.ts";
import { demandWholeTenant } from "./narrowing.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";
import { type Use, useOf, UseQuery } from "./rule-use.ts";

export const budgets = newRoutes()
  .post(
    "/",
    may("budgets:write", "Set a budget"),
    replays(),
    takes("json", CreateBudget),
    answers(201, Budget, "The budget; agents keep to it from their next request on."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const budget = await createBudget(c.get("scope"), c.req.valid("json"), c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), c.get("scope").tenantId);
      const location = `/v1/budgets/${budget.id}`;
      return c.json(budget, 201, { ...etag(budget.revision), location });
    },
  )
  .get(
    "/",
    may("budgets:read", "List budgets"),
    takes("query", PageQuery),
    answers(200, pageSchema(Budget), "Budgets in the order they were set."),
    async (c) => c.json(await listBudgets(c.get("scope"), c.req.valid("query"))),
  )
  .get(
    "/:id",
    may("budgets:read", "Get a budget"),
    takes("param", ById),
    answers(200, Budget, "The budget."),
    async (c) => {
      const budget = await getBudget(c.get("scope"), c.req.valid("param").id);
      return c.json(budget, 200, etag(budget.revision));
    },
  )
  .get(
    "/:id/use",
    may("budgets:read", "What is spent of a budget"),
    takes("param", ById),
    takes("query", UseQuery),
    answers(
      200,
      z.object({ data: z.array(BudgetUse) }),
      "The newest period first, and in it whoever spent most. Of a budget of one invocation none.",
    ),
    async (c) => {
      const budget = await getBudget(c.get("scope"), c.req.valid("param").id);
      const rows = await useOf(c, budget, c.req.valid("query"));
      return c.json({ data: rows.map(spent) });
    },
  )
  .patch(
    "/:id",
    may("budgets:write", "Change a budget"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", BudgetPatch),
    answers(200, Budget, "The budget as changed."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const { id } = c.req.valid("param");
      const budget = await patchBudget(scope, id, revision, c.req.valid("json"), c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      const { revision: now, amount_micros: cap, warn_at_percent: warnAtPct } = budget;
      const gate = c.get("services").gate(scope.tenantId);
      await gate.resize(scope.tenantId, { rule: id, revision: now, cap, warnAtPct });
      return c.json(budget, 200, etag(budget.revision));
    },
  )
  .delete(
    "/:id",
    may("budgets:write", "Remove a budget"),
    takes("param", ById),
    takes("header", AtRevision),
    answers(204, null, "It holds no longer, and what was spent of it is not kept."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      const { "if-match": revision } = c.req.valid("header");
      const scope = c.get("scope");
      const { id } = c.req.valid("param");
      await deleteBudget(scope, id, revision, c.get("nowMs"));
      forgetLiveAgentsOf(c.get("services"), scope.tenantId);
      const gone = { rule: id, revision, cap: null, warnAtPct: [] };
      await c.get("services").gate(scope.tenantId).resize(scope.tenantId, gone);
      return c.body(null, 204);
    },
  );

function spent({ cap, used, held, warnings, ...row }: Use): BudgetUse {
  return {
    ...row,
    amount_micros: cap,
    spent_micros: used,
    reserved_micros: held,
    left_micros: Math.max(0, cap - used - held),
    spent_usd: usd(used),
    warnings: warnings.map(({ pct, atMs }) => ({ percent: pct, at: rfc3339(atMs) })),
  };
}
