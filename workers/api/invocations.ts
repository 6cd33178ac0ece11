/**
 * /v1/invocations — what was asked of agents. The listing is a projection that may lag; one
 * invocation is read from the object that owns it, found by the tag in its id.
 */
import { z } from "zod";
import {
  Invocation,
  InvocationListQuery,
  InvocationSummary,
  Step,
} from "../../core/invocations/contract.ts";
import { agentsOfInvocations, listInvocations } from "../../core/invocations/store.ts";
import { canonical } from "../../core/json/canonical.ts";
import { type Page, wholeNumber } from "../../core/page.ts";
import { sha256 } from "../edge/hash.ts";
import { replays } from "../edge/idempotency.ts";
import { looksAtAgents } from "../edge/permits.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { type Reach, narrowed, permitted } from "./narrowing.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { branchCall } from "./branch-call.ts";
import { jsonOf } from "./object-json.ts";
import { ById, pageSchema } from "./parameters.ts";
import { found, homeOf } from "./runtime.ts";

/** Sequence number of an event: how far a reader has got. */
const Sequence = wholeNumber({ min: 0, max: Number.MAX_SAFE_INTEGER });

const EVENT_STREAM = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

export const invocations = newRoutes()
  .get(
    "/",
    may("invocations:read", "List invocations"),
    takes("query", InvocationListQuery),
    answers(200, pageSchema(InvocationSummary), "Finished invocations, newest first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const page = await seen(c, await listInvocations(c.get("scope"), query));
      const detail = { query: sha256(canonical(query)), rows: page.data.length };
      await recordAccess(c, { action: "invocation.listed", id: "*", detail });
      return c.json(page);
    },
  )
  .get(
    "/:id",
    may("invocations:read", "Get an invocation"),
    takes("param", ById),
    answers(200, Invocation, "The invocation as its object knows it now."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const { body } = found(await runtime.get(owner, id));
      await recordAccess(c, { action: "invocation.read", id });
      return jsonOf(body);
    },
  )
  .get(
    "/:id/steps",
    may("invocations:read", "List an invocation's steps"),
    takes("param", ById),
    answers(200, pageSchema(Step), "All steps, in the order they began."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const { body } = found(await runtime.steps(owner, id));
      await recordAccess(c, { action: "invocation.read", id, detail: { part: "steps" } });
      return jsonOf(body);
    },
  )
  .get(
    "/:id/events",
    may("invocations:read", "Follow an invocation's events"),
    takes("param", ById),
    takes("query", z.strictObject({ after: Sequence.optional() })),
    takes("header", z.object({ "last-event-id": Sequence.optional() })),
    answers(200, null, "Events after the named one, until the last.", "text/event-stream"),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const after = c.req.valid("header")["last-event-id"] ?? c.req.valid("query").after ?? 0;
      const { events } = found(await runtime.events(owner, id, after));
      await recordAccess(c, { action: "invocation.read", id, detail: { part: "events", after } });
      return c.body(events, 200, EVENT_STREAM);
    },
  )
  .post(
    "/:id/cancel",
    may("invocations:write", "Cancel an invocation"),
    replays(),
    takes("param", ById),
    answers(200, Invocation, "The invocation, cancelled; `conflict` for one that had ended."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const cancelled = await recordAsking(c, "invocation.cancel_requested", id, async () =>
        found(await runtime.cancel(owner, id)),
      );
      return jsonOf(cancelled.body);
    },
  )
  .post(
    "/:id/retry",
    may("invocations:write", "Run an ended invocation's input again", { credits: 1, once: true }),
    takes("param", ById),
    answers(202, Invocation, "A new invocation, with `redriven_from`; follow `Location`."),
    async (c) => {
      const { id } = c.req.valid("param");
      const home = await homeOf(c, id);
      const call = await branchCall(c, home.owner, `retry ${id}`);
      const made = await recordAsking(c, "invocation.retry_requested", id, async () =>
        found(await home.runtime.retry(home.owner, id, call)),
      );
      const headers: Record<string, string> = { location: `/v1/invocations/${made.id}` };
      if (made.replayed) headers["idempotency-replayed"] = "true";
      return jsonOf(made.body, 202, headers);
    },
  );

/** What of a page the principal may see. The wire names agents by slug, so whose it is is read. */
async function seen(c: Reach, page: Page<InvocationSummary>): Promise<Page<InvocationSummary>> {
  const principal = c.get("principal");
  const ids = page.data.map(({ id }) => id);
  const agents = looksAtAgents(principal)
    ? await agentsOfInvocations(c.get("scope"), ids)
    : undefined;
  return permitted(c, page, ({ id, environment }) => ({
    agentId: agents?.get(id) ?? principal.agentId ?? "",
    environment,
  }));
}
