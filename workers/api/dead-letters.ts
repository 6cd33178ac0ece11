/**
 * /v1/dead-letters — invocations that ended without an answer: why, and back to their agents. The
 * listing is a projection that may lag; what was asked stands in the agent's object alone.
 */
import {
  CreateRedrive,
  DeadLetter,
  DeadLetterCause,
  DeadLetterCauseQuery,
  DeadLetterDetail,
  DeadLetterPatch,
  DeadLetterQuery,
  LetterContent,
  Redrive,
  RedriveOne,
} from "../../core/dead-letters/contract.ts";
import { deadLetterCauses, getDeadLetter, listDeadLetters } from "../../core/dead-letters/store.ts";
import {
  cancelRedrive,
  createRedrive,
  getRedrive,
  listRedrives,
} from "../../core/dead-letters/store-redrives.ts";
import { Invocation } from "../../core/invocations/contract.ts";
import { PageQuery } from "../../core/page.ts";
import { speakerId } from "../../core/principals/contract.ts";
import { INVOKE_BODY_LIMIT } from "../edge/body.ts";
import { idempotencyKeyOf, replays } from "../edge/idempotency.ts";
import { answers, may, newRoutes, takes } from "../edge/routes.ts";
import type { Services } from "../edge/services.ts";
import { carryRedrives, type RedriveJob, redriveLetter } from "../jobs/redrives.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { demandWholeTenant, narrowed, permitted, reachAgent, type Reach } from "./narrowing.ts";
import { jsonOf, locationOf, readJson } from "./object-json.ts";
import { AtRevision, ById, etag, pageSchema } from "./parameters.ts";
import { found, homeOf } from "./runtime.ts";
import { z } from "zod";

const whereIs = ({ agent_id: agentId, environment }: DeadLetter | DeadLetterCause) => ({
  agentId,
  environment,
});

export const deadLetters = newRoutes()
  .get(
    "/",
    may("invocations:read", "List dead letters"),
    takes("query", DeadLetterQuery),
    answers(200, pageSchema(DeadLetter), "Invocations that ended without an answer, newest first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      return c.json(await permitted(c, await listDeadLetters(c.get("scope"), query), whereIs));
    },
  )
  .get(
    "/causes",
    may("invocations:read", "Group open dead letters by cause"),
    takes("query", DeadLetterCauseQuery),
    answers(200, z.object({ data: z.array(DeadLetterCause) }), "Most letters first."),
    async (c) => {
      const query = await narrowed(c, c.req.valid("query"));
      const data = await deadLetterCauses(c.get("scope"), query);
      const page = await permitted(c, { data, next_cursor: null }, whereIs);
      return c.json({ data: page.data });
    },
  )
  .post(
    "/redrive",
    may("invocations:write", "Re-drive many dead letters"),
    replays(),
    takes("json", CreateRedrive, { optional: true }),
    answers(202, Redrive, "Under way, minute by minute; follow `Location`."),
    async (c) => {
      const { agent, ...wish } = await narrowed(c, c.req.valid("json"));
      if (agent === undefined) demandWholeTenant(c.get("principal"));
      const agentId = agent && (await reachAgent(c, agent, wish.environment)).id;
      const wanted = { ...wish, agentId, principal: c.get("principal").id };
      const redrive = await createRedrive(c.get("scope"), wanted, c.get("nowMs"));
      c.get("arrival").keep(carryRedrives(jobOf(c)));
      return c.json(redrive, 202, { location: `/v1/dead-letters/redrives/${redrive.id}` });
    },
  )
  .get(
    "/redrives",
    may("invocations:read", "List bulk re-drives"),
    takes("query", PageQuery),
    answers(200, pageSchema(Redrive), "Newest first."),
    async (c) => {
      demandWholeTenant(c.get("principal"));
      return c.json(await listRedrives(c.get("scope"), c.req.valid("query"), c.get("nowMs")));
    },
  )
  .get(
    "/redrives/:id",
    may("invocations:read", "Get a bulk re-drive"),
    takes("param", ById),
    answers(200, Redrive, "How far it is."),
    async (c) => c.json(await reachRedrive(c, c.req.valid("param").id)),
  )
  .post(
    "/redrives/:id/cancel",
    may("invocations:write", "Stop a bulk re-drive"),
    replays(),
    takes("param", ById),
    answers(200, Redrive, "Nothing more is handed on; what was stays."),
    async (c) => {
      const { id } = await reachRedrive(c, c.req.valid("param").id);
      return c.json(await cancelRedrive(c.get("scope"), id, c.get("nowMs")));
    },
  )
  .get(
    "/:id",
    may("invocations:read", "Get a dead letter"),
    takes("param", ById),
    answers(200, DeadLetterDetail, "With what was asked, and what it is to be asked instead."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const letter = await getDeadLetter(c.get("scope"), id);
      const { body } = found(await runtime.letter(owner, id));
      const content = LetterContent.parse(await readJson(body));
      await recordAccess(c, { action: "invocation.read", id, detail: { part: "dead_letter" } });
      return c.json({ ...letter, ...content }, 200, etag(content.revision));
    },
  )
  .patch(
    "/:id",
    may("invocations:write", "Change what a dead letter asks when it is re-driven"),
    takes("param", ById),
    takes("header", AtRevision),
    takes("json", DeadLetterPatch, { limitBytes: INVOKE_BODY_LIMIT }),
    answers(200, DeadLetterDetail, "The letter; the invocation itself stays as it was."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const letter = await getDeadLetter(c.get("scope"), id);
      const input = JSON.stringify(c.req.valid("json").input);
      const { "if-match": revision } = c.req.valid("header");
      const amendment = { input, revision, principal: speakerId(c.get("principal")) };
      const { body } = await recordAsking(c, "dead_letter.amend_requested", id, async () =>
        found(await runtime.amend(owner, id, amendment)),
      );
      const content = LetterContent.parse(await readJson(body));
      return c.json({ ...letter, ...content }, 200, etag(content.revision));
    },
  )
  .post(
    "/:id/redrive",
    may("invocations:write", "Re-drive a dead letter", { credits: 1, once: true }),
    takes("param", ById),
    takes("json", RedriveOne, { optional: true, limitBytes: INVOKE_BODY_LIMIT }),
    answers(202, Invocation, "A new invocation, with `redriven_from`; follow `Location`."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id);
      const { state, redriven_to: to } = await getDeadLetter(c.get("scope"), id);
      const again = idempotencyKeyOf(c.req.raw.headers) !== undefined && state === "redriven";
      if (again && to !== null) {
        const { body } = found(await runtime.get(owner, to));
        return jsonOf(body, 202, { ...locationOf(to), "idempotency-replayed": "true" });
      }
      const wish = c.req.valid("json");
      const made = await recordAsking(c, "dead_letter.redrive_requested", id, () =>
        redriveLetter(jobOf(c), c.get("scope"), c.get("principal"), id, wish),
      );
      return jsonOf(made.body, 202, locationOf(made.id));
    },
  );

/** @throws Problem `not_found` for what is not there or not the principal's to know of | `forbidden` */
async function reachRedrive(c: Reach & Timed, id: string): Promise<Redrive> {
  const redrive = await getRedrive(c.get("scope"), id, c.get("nowMs"));
  if (redrive.agent_id === null) demandWholeTenant(c.get("principal"));
  else await reachAgent(c, redrive.agent_id, redrive.environment ?? undefined);
  return redrive;
}

type Timed = { get(key: "nowMs"): number };

function jobOf(c: { readonly env: Env; get(key: "services"): Services }): RedriveJob {
  return { env: c.env, services: c.get("services"), now: Date.now };
}
