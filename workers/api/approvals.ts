/**
 * /v1/approvals — what runs wait for people to decide. The listing is a projection that may lag; one
 * approval is read from, and decided in, the object of its run.
 */
import type { Context } from "hono";
import type { z } from "zod";
import { decide } from "../../core/access/decide.ts";
import {
  Approval,
  ApprovalListQuery,
  ApprovalSummary,
  Approve,
  type Deciding,
  Happened,
  Reject,
} from "../../core/approvals/contract.ts";
import { type ListedApproval, listApprovals } from "../../core/approvals/store.ts";
import { isId } from "../../core/ids.ts";
import { canonical } from "../../core/json/canonical.ts";
import { getKey } from "../../core/keys/store.ts";
import { makersOf } from "../../core/firings/store-makers.ts";
import { ownerOf, speakerId } from "../../core/principals/contract.ts";
import type { AppEnv, WithPrincipal } from "../edge/context.ts";
import { sha256 } from "../edge/hash.ts";
import { replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { narrowed, permitted, placeAt } from "./narrowing.ts";
import { ById, pageSchema } from "./parameters.ts";
import { found, type Home, homeOf } from "./runtime.ts";

export const approvals = newRoutes()
  .get(
    "/",
    may("approvals:read", "List approvals"),
    takes("query", ApprovalListQuery),
    answers(200, pageSchema(ApprovalSummary), "Approvals, newest first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const listed = await listApprovals(c.get("scope"), query);
      const page = await permitted(c, listed, (row) => row);
      const detail = { query: sha256(canonical(query)), rows: page.data.length };
      await recordAccess(c, { action: "approval.listed", kind: "approval", id: "*", detail });
      return c.json({ ...page, data: page.data.map(summaryOf) });
    },
  )
  .get(
    "/:id",
    may("approvals:read", "Get an approval"),
    takes("param", ById),
    answers(200, Approval, "What is asked, of whom, until when, and what was decided."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "approval");
      const { body } = found(await runtime.approval(owner, id), "approval");
      await recordAccess(c, { action: "approval.read", kind: "approval", id });
      return json(body);
    },
  )
  .post(
    "/:id/approve",
    may("approvals:decide", "Approve, as asked or with other arguments"),
    replays(),
    takes("param", ById),
    takes("json", Approve),
    answers(200, Approval, "With your vote; the run goes on when the quorum is reached."),
    async (c) => decided(c, c.req.valid("param").id, "approved", c.req.valid("json")),
  )
  .post(
    "/:id/reject",
    may("approvals:decide", "Reject"),
    replays(),
    takes("param", ById),
    takes("json", Reject),
    answers(200, Approval, "Rejected: the run goes on without the call, and the model is told."),
    async (c) => decided(c, c.req.valid("param").id, "rejected", c.req.valid("json")),
  )
  .post(
    "/:id/happened",
    may("approvals:decide", "Say what an effect gave whose outcome was unknown"),
    replays(),
    takes("param", ById),
    takes("json", Happened),
    answers(200, Approval, "The run goes on as if the tool had answered this."),
    async (c) => decided(c, c.req.valid("param").id, "happened", c.req.valid("json")),
  );

type Said = z.infer<typeof Approve> | z.infer<typeof Reject> | z.infer<typeof Happened>;
type Reach = Context<AppEnv & WithPrincipal>;

const ACTIONS = {
  approved: "approval.approve_requested",
  rejected: "approval.reject_requested",
  happened: "approval.happened_requested",
} as const;

async function decided(
  c: Reach,
  id: string,
  verdict: Deciding["verdict"],
  said: Said,
): Promise<Response> {
  const home = await homeOf(c, id, "approval");
  const { runtime, owner } = home;
  const { principal: runs } = found(await runtime.approval(owner, id), "approval");
  const deciding = { ...said, verdict, ...(await whoever(c, home)) };
  const own = await idsOf(c, runs);
  const answer = await recordAsking(c, ACTIONS[verdict], id, async () =>
    found(await runtime.decideApproval(owner, id, deciding, own), "approval"),
  );
  return json(answer.body);
}

/** Who decides, by every id, and the roles that let it decide about this very agent. */
async function whoever(
  c: Reach,
  { owner }: Home,
): Promise<Pick<Deciding, "by" | "ids" | "madeBy" | "roles">> {
  const principal = c.get("principal");
  const place = await placeAt(c, owner);
  const resource = { ...place, tenantId: principal.tenantId ?? undefined };
  const { nowMs } = c.get("arrival");
  const roles = (principal.grants ?? [])
    .filter((grant) => {
      const alone = { ...principal, grants: [grant] };
      return decide({ principal: alone, scope: "approvals:decide", resource, nowMs }).allowed;
    })
    .map(({ role }) => role);
  const ids = [principal.id, speakerId(principal), ownerOf(principal)];
  const key = isId("key", principal.id) ? await getKey(c.get("scope"), principal.id) : undefined;
  const madeBy = key?.created_by ?? null;
  return { by: ownerOf(principal), ids: [...new Set(ids)], madeBy, roles: [...new Set(roles)] };
}

/** Every id of whoever a run acts as: who a key is of, whoever made the schedule. */
async function idsOf(c: Reach, runs: string): Promise<readonly string[]> {
  const scope = c.get("scope");
  if (isId("key", runs)) {
    const { owner_id: ownerId } = await getKey(scope, runs);
    return [runs, ownerId ?? runs];
  }
  if (isId("schedule", runs)) return [runs, ...(await makersOf(scope, runs))];
  return [runs];
}

/** Whose it is stands in the listing's row and not on the wire. */
function summaryOf({ agentId: _agentId, ...summary }: ListedApproval): ApprovalSummary {
  return summary;
}

/** JSON that the object has written already. */
function json(body: BodyInit): Response {
  return new Response(body, { headers: { "content-type": "application/json" } });
}
