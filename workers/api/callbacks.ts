/**
 * /v1/callbacks — where runs wait for somebody outside; and /callbacks/…, the address that whoever
 * is to answer is given. Its last part is a signature: it needs no credential and counts once.
 */
import { z } from "zod";
import { Callback, CallbackAddress, CallbackAnswer } from "../../core/callbacks/contract.ts";
import { tagOf } from "../../core/ids.ts";
import { findObjectByTag } from "../../core/runtime-objects/store.ts";
import { replays } from "../edge/idempotency.ts";
import { missing } from "../edge/permits.ts";
import { answers, may, newRoutes, open, takes } from "../edge/routes.ts";
import { recordAccess, recordAsking } from "./accesses.ts";
import { ById, Id } from "./parameters.ts";
import { found, homeOf, runtimeOf } from "./runtime.ts";

export const callbacks = newRoutes()
  .get(
    "/:id",
    may("invocations:read", "Get a callback"),
    takes("param", ById),
    answers(200, Callback, "What it is for, until when, and whether it was answered."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "callback");
      const { callback } = found(await runtime.callback(owner, id), "callback");
      return c.json(callback);
    },
  )
  .get(
    "/:id/address",
    may("invocations:write", "Get the address a callback is answered at"),
    takes("param", ById),
    answers(200, CallbackAddress, "Whoever has it may answer once, without a credential."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "callback");
      const { callback, proof } = found(await runtime.callback(owner, id), "callback");
      await recordAccess(c, { action: "callback.address_read", kind: "callback", id });
      const url = `${c.get("origin")}/callbacks/${id}/${proof}`;
      return c.json({ url, expires_at: callback.expires_at });
    },
  )
  .post(
    "/:id/answer",
    may("invocations:write", "Answer a callback"),
    replays(),
    takes("param", ById),
    takes("json", CallbackAnswer),
    answers(200, Callback, "Answered; the run goes on. The same answer again is no error."),
    async (c) => {
      const { id } = c.req.valid("param");
      const { runtime, owner } = await homeOf(c, id, "callback");
      const body = JSON.stringify(c.req.valid("json").answer);
      const { callback } = await recordAsking(c, "callback.answer_requested", id, async () =>
        found(await runtime.answerCallback(owner, { id, body }), "callback"),
      );
      return c.json(callback);
    },
  );

const ByProof = z.object({ id: Id, proof: z.string().min(1).max(200) });

export const callbackReplies = newRoutes().post(
  "/:id/:proof",
  open("Answer a callback at its signed address"),
  takes("param", ByProof),
  takes("json", CallbackAnswer),
  answers(200, Callback, "Answered; the run goes on. The same answer again is no error."),
  async (c) => {
    const { id, proof } = c.req.valid("param");
    const scope = c.get("scope");
    const tag = tagOf("callback", id);
    const place = tag === undefined ? undefined : await findObjectByTag(scope, tag);
    if (place === undefined) throw missing("callback");
    const owner = { tenantId: scope.tenantId, ...place };
    const reply = { id, proof, body: JSON.stringify(c.req.valid("json").answer) };
    const { callback } = found(
      await runtimeOf(c.env, owner).answerCallback(owner, reply),
      "callback",
    );
    return c.json(callback);
  },
);
