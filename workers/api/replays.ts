/**
 * /v1/invocations/{id}/… — what can be done with an invocation that has ended: executed again over
 * its journal, forked, resumed, compared, accounted for.
 */
import { z } from "zod";
import { Invocation, Step } from "../../core/invocations/contract.ts";
import {
  Diff,
  DiffQuery,
  ForkBody,
  Receipt,
  Replay,
  ReplayBody,
  ResumeBody,
} from "../../core/replays/contract.ts";
import { type Compared, diffRuns } from "../../core/replays/diff.ts";
import { findVersionNames } from "../../core/versions/store.ts";
import type { Answered } from "../../durable-objects/agent-runtime/contract.ts";
import { INVOKE_BODY_LIMIT } from "../edge/body.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { branchCall } from "./branch-call.ts";
import { jsonOf, locationOf, readJson } from "./object-json.ts";
import { ById } from "./parameters.ts";
import { madeFor } from "../serve/made-for.ts";
import { type Home, found, homeOf } from "./runtime.ts";

/** A body that may be left out, and may bring another input. */
const BODY = { optional: true, limitBytes: INVOKE_BODY_LIMIT };

/** What makes a new invocation costs what invoking does, once for one key. */
const ONE = { credits: 1, once: true };

export const replays = newRoutes()
  .post(
    "/:id/replay",
    may("invocations:read", "Execute an invocation again over its journal alone"),
    takes("param", ById),
    takes("json", ReplayBody, { optional: true }),
    answers(200, Replay, "What came of it: equal, or the step at which it diverged."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const { body } = found(await runtime.replay(owner, id, c.req.valid("json")));
      await recordAccess(c, { action: "invocation.replayed", id });
      return jsonOf(body);
    },
  )
  .post(
    "/:id/fork",
    may("invocations:write", "Fork an invocation at a step", ONE),
    takes("param", ById),
    takes("json", ForkBody, BODY),
    answers(202, Invocation, "A new invocation, with `forked_from`; follow `Location`."),
    async (c) => {
      const { id } = c.req.valid("param");
      const home = await homeOf(c, id);
      const asked = c.req.valid("json");
      const whom = madeFor(c.get("principal"), asked.metadata ?? {}).metadata;
      const person = whom?.["user_id"];
      const inherits = person === undefined ? {} : { madeFor: person };
      const wish = { ...asked, ...(asked.metadata ? { metadata: whom ?? {} } : inherits) };
      const call = await branchCall(c, home.owner, `fork ${id}`, wish);
      const made = await recordAsking(c, "invocation.fork_requested", id, async () =>
        found(await home.runtime.fork(home.owner, id, wish, call)),
      );
      return accepted(made);
    },
  )
  .post(
    "/:id/resume",
    may("invocations:write", "Resume an invocation at the step it failed at", ONE),
    takes("param", ById),
    takes("json", ResumeBody, BODY),
    answers(202, Invocation, "A new invocation, with `redriven_from`; follow `Location`."),
    async (c) => {
      const { id } = c.req.valid("param");
      const home = await homeOf(c, id);
      const wish = c.req.valid("json");
      const call = await branchCall(c, home.owner, `resume ${id}`, wish);
      const made = await recordAsking(c, "invocation.resume_requested", id, async () =>
        found(await home.runtime.resume(home.owner, id, wish, call)),
      );
      return accepted(made);
    },
  )
  .get(
    "/:id/receipt",
    may("invocations:read", "Get an invocation's receipt"),
    takes("param", ById),
    answers(200, Receipt, "What it was, did and cost; content as hashes."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const { body } = found(await runtime.receipt(owner, id));
      const receipt = Receipt.parse(await readJson(body));
      const names = await findVersionNames(c.get("scope"), owner.agentId, receipt.version);
      await recordAccess(c, { action: "invocation.read", id, detail: { part: "receipt" } });
      return c.json({
        ...receipt,
        version_id: names?.id ?? null,
        spec_hash: names?.specHash ?? null,
      });
    },
  )
  .get(
    "/:id/diff",
    may("invocations:read", "Compare two invocations"),
    takes("param", ById),
    takes("query", DiffQuery),
    answers(200, Diff, "Both side by side, step by step."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { to } = c.req.valid("query");
      // Both places first: what is not the principal's to know of is not looked into.
      const [home, other] = [await homeOf(c, id), await homeOf(c, to)];
      const [from, against] = [await runAt(home, id), await runAt(other, to)];
      for (const seen of [id, to]) {
        const detail = { part: "diff" };
        await recordAccess(c, { action: "invocation.read", id: seen, detail });
      }
      return c.json(diffRuns(from, against));
    },
  );

async function runAt({ runtime, owner }: Home, id: string): Promise<Compared> {
  const invocation = Invocation.parse(await readJson(found(await runtime.get(owner, id)).body));
  const { data } = StepPage.parse(await readJson(found(await runtime.steps(owner, id)).body));
  return { invocation, steps: data };
}

const StepPage = z.object({ data: z.array(Step) });

function accepted({ id, body, replayed }: Answered): Response {
  const again = replayed ? { "idempotency-replayed": "true" } : {};
  return jsonOf(body, 202, { ...locationOf(id), ...again });
}
