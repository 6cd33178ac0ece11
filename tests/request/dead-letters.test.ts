/**
 * Dead letters: why invocations ended without an answer, and back to their agents with what was
 * finished kept (K4, F99).
 */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type {
  DeadLetter,
  DeadLetterCause,
  DeadLetterDetail,
  Redrive,
} from "../../core/dead-letters/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { carryRedrives } from "../../workers/jobs/redrives.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  redeploy,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newKey, newWorld } from "../fixtures/world.ts";

const MINUTE_MS = 60_000;
const TOOL = {
  kind: "http",
  name: "note",
  description: "Notes it.",
  method: "POST",
  url: `${FAR_SIDE}/note`,
  idempotent: true,
} as const;
const SPEC = { tools: [TOOL], retry: { attempts: 2, base_ms: 1 } };

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "fragile", SPEC);
});

/** Invocations of this agent that are dead, and known to be. */
async function dead(input: string, from: TestAgent = agent): Promise<Invocation> {
  const ended = await from.ask(input);
  await deliver("berth-ledger", [from.owner]);
  return ended;
}

const read = (id: string) => acme.json<DeadLetterDetail>(`/v1/dead-letters/${id}`, 200);
const list = async (query = "") =>
  (await acme.json<{ data: DeadLetter[] }>(`/v1/dead-letters?limit=100&${query}`, 200)).data;

/** The provider takes another key from here on: what failed for it does not any more. */
async function rekey(key: string): Promise<void> {
  const { data } = await acme.json<{ data: { id: string; revision: number }[] }>(
    "/v1/providers",
    200,
  );
  const { id = "", revision = 0 } = data[0] ?? {};
  const headers = { "if-match": `"${revision}"` };
  await acme.json(`/v1/providers/${id}`, 200, { method: "PATCH", json: { api_key: key }, headers });
}

async function mended<T>(work: () => Promise<T>): Promise<T> {
  await rekey("sk-mended");
  try {
    return await work();
  } finally {
    await rekey("sk-test-0123");
  }
}

/** As the sweep does, at a time of the test's. */
const sweepAt = (nowMs: number) =>
  carryRedrives({ env, services: servicesOf(env), now: () => nowMs });

describe("F99: dead letters", () => {
  it("F99, F205: three tries, then dead: listed, grouped by cause, and read whole", async () => {
    const thrice = await liveAgent(acme, "thrice", { ...SPEC, retry: { base_ms: 1 } });
    const { id, attempts, status } = await dead("[[tool-steps-2-1]] thrice", thrice);
    expect({ attempts, status }).toEqual({ attempts: 3, status: "dead" });
    expect(await list(`agent=thrice`)).toMatchObject([
      { id, cause: "model_failed", status: "dead", state: "open", attempts: 3, redriven_to: null },
    ]);
    const { data } = await acme.json<{ data: DeadLetterCause[] }>(
      "/v1/dead-letters/causes?agent=thrice",
      200,
    );
    expect(data).toMatchObject([
      { cause: "model_failed", agent: "thrice", environment: "prod", count: 1 },
    ]);
    expect(await read(id)).toMatchObject({
      id,
      input: "[[tool-steps-2-1]] thrice",
      amended_input: null,
      failed_step: "model.1#0",
      finished_steps: 2,
    });
    expect((await dead("all is well", thrice)).status).toBe("succeeded");
    expect(await list("agent=thrice")).toHaveLength(1);
  });

  it("K4: one that is re-driven goes on where it broke, once, however often it is asked", async () => {
    const { id } = await dead("[[tool-steps-4-3]]");
    await mended(async () => {
      const before = (await seenBy(MODEL_SERVER, {})).length;
      const headers = { "idempotency-key": "again" };
      const path = `/v1/dead-letters/${id}/redrive`;
      const asked = await Promise.all(
        [0, 1, 2].map(() => acme.ask(path, { method: "POST", headers })),
      );
      const made = asked.filter(({ status }) => status === 202);
      expect(made.length).toBeGreaterThan(0);
      const ids = await Promise.all(made.map(async (one) => (await one.json<Invocation>()).id));
      expect(new Set(ids).size).toBe(1);
      const next = await agent.ended(ids[0] ?? "");
      expect(next).toMatchObject({
        status: "succeeded",
        redriven_from: id,
        usage: { model_calls: 2 },
      });
      expect((await seenBy(MODEL_SERVER, {})).length - before).toBe(2);
      expect(await read(id)).toMatchObject({ state: "redriven", redriven_to: next.id });
      const again = await acme.ask(path, { method: "POST", headers });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(await again.json()).toMatchObject({ id: next.id });
      expect((await acme.ask(path, { method: "POST" })).status).toBe(409);
    });
  });

  it("F99: what it asks may be changed, with an entry in the trail, and is then asked anew", async () => {
    const { id } = await dead("[[status-400]] poison");
    const path = `/v1/dead-letters/${id}`;
    const patch = (input: string, revision: number) =>
      acme.ask(path, {
        method: "PATCH",
        json: { input },
        headers: { "if-match": `"${revision}"` },
      });
    expect((await patch("mended once", 1)).status).toBe(200);
    expect((await patch("stale", 1)).status).toBe(412);
    const second = await patch("mended", 2);
    expect(second.headers.get("etag")).toBe('"3"');
    expect(await second.json()).toMatchObject({
      input: "[[status-400]] poison",
      amended_input: "mended",
      revision: 3,
      amended_by: acme.keyId,
    });
    const made = await acme.json<Invocation>(`${path}/redrive`, 202, { method: "POST" });
    expect(await agent.ended(made.id)).toMatchObject({
      input: "mended",
      status: "succeeded",
      output: { text: "echo: mended" },
    });
    expect(await agent.get(id)).toMatchObject({ input: "[[status-400]] poison", status: "failed" });
    const { results } = await env.DB.prepare(
      "SELECT action, result FROM audit WHERE resource_id = ? AND resource_kind = 'dead_letter' ORDER BY id",
    )
      .bind(id)
      .all();
    expect(results).toMatchObject([
      { action: "dead_letter.amend_requested", result: "done" },
      { action: "dead_letter.amend_requested", result: "done" },
      { action: "dead_letter.amend_requested", result: "refused" },
      { action: "dead_letter.amend_requested", result: "done" },
      { action: "dead_letter.redrive_requested", result: "done" },
    ]);
  });

  it("K4: with finished steps a changed input, or a changed version, must be begun afresh", async () => {
    const changing = await liveAgent(acme, "letters-changing", SPEC);
    const { id } = await dead("[[tool-steps-1-1]] mind the gap", changing);
    const path = `/v1/dead-letters/${id}`;
    await redeploy(acme, changing, { ...SPEC, instructions: "Quite otherwise." });
    await mended(async () => {
      const refused = await acme.ask(`${path}/redrive`, { method: "POST" });
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({ code: "journal_mismatch" });
      expect(await read(id)).toMatchObject({
        state: "open",
        refused: { code: "journal_mismatch" },
      });
      await acme.json(path, 200, {
        method: "PATCH",
        json: { input: "[[tool-steps-1]] other" },
        headers: { "if-match": '"1"' },
      });
      const pinned = await acme.ask(`${path}/redrive`, { json: { version: 1 } });
      expect(pinned.status).toBe(409);
      const fresh = await acme.json<Invocation>(`${path}/redrive`, 202, { json: { fresh: true } });
      expect(await changing.ended(fresh.id)).toMatchObject({
        status: "succeeded",
        version: 2,
        usage: { model_calls: 2 },
      });
    });
  });
});

describe("F99: bulk re-drives", () => {
  it("F99: hand on no more than so many a minute, over a restart too, and each letter once", async () => {
    const many = await liveAgent(acme, "many", SPEC);
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push((await dead(`[[tool-steps-1-1]] ${n}`, many)).id);
    await mended(async () => {
      const json = { agent: "many", cause: "model_failed", per_minute: 2 };
      const asked = await acme.json<Redrive>("/v1/dead-letters/redrive", 202, { json });
      expect(asked).toMatchObject({ status: "running", total: 5, per_minute: 2 });
      const path = `/v1/dead-letters/redrives/${asked.id}`;
      const progress = async () => (await acme.json<Redrive>(path, 200)).redriven;
      while ((await progress()) < 2); // the request itself begins with the first of them
      const row = await env.DB.prepare("SELECT minute FROM redrive WHERE id = ?")
        .bind(asked.id)
        .first<{ minute: number }>();
      const minute = (n: number) => ((row?.minute ?? 0) + n) * MINUTE_MS;
      await sweepAt(minute(0) + 59_999);
      expect(await progress()).toBe(2);
      await sweepAt(minute(1));
      await sweepAt(minute(1) + 1000);
      expect(await progress()).toBe(4);
      await sweepAt(minute(2));
      await sweepAt(minute(2) + 1000);
      expect(await acme.json<Redrive>(path, 200)).toMatchObject({
        status: "done",
        redriven: 5,
        refused: 0,
        eta: null,
      });
      const letters = await list("agent=many");
      expect(letters.every(({ state }) => state === "redriven")).toBe(true);
      for (const { redriven_to: to } of letters) {
        expect(await many.ended(to ?? "")).toMatchObject({
          status: "succeeded",
          usage: { model_calls: 1 },
        });
      }
      const made = await many.rows("SELECT id FROM invocation WHERE redriven_from IS NOT NULL");
      expect(made).toHaveLength(5);
    });
  });

  it("F99: refusals are counted and kept with the letter; a cancelled one hands nothing on", async () => {
    const odd = await liveAgent(acme, "odd", SPEC);
    const { id } = await dead("[[tool-steps-1-1]] odd", odd);
    await redeploy(acme, odd, { ...SPEC, instructions: "Other." });
    const json = { agent: "odd" };
    const asked = await acme.json<Redrive>("/v1/dead-letters/redrive", 202, { json });
    const path = `/v1/dead-letters/redrives/${asked.id}`;
    while ((await acme.json<Redrive>(path, 200)).status === "running");
    expect(await acme.json<Redrive>(path, 200)).toMatchObject({ status: "done", refused: 1 });
    expect(await read(id)).toMatchObject({ state: "open", refused: { code: "journal_mismatch" } });
    expect((await acme.ask(`${path}/cancel`, { method: "POST" })).status).toBe(409);
  });

  it("F99: what an agent would take a moment later is no refusal", async () => {
    const slow = await liveAgent(acme, "slow", SPEC);
    for (let n = 0; n < 3; n += 1) await dead(`[[tool-steps-1-1]] ${n}`, slow);
    const limits = { requests_per_minute: 1 };
    await redeploy(acme, slow, { ...SPEC, limits });
    await mended(async () => {
      const json = { agent: "slow", fresh: true };
      const asked = await acme.json<Redrive>("/v1/dead-letters/redrive", 202, { json });
      const path = `/v1/dead-letters/redrives/${asked.id}`;
      const progress = () => acme.json<Redrive>(path, 200);
      while ((await progress()).redriven < 1);
      await sweepAt(Date.now() + MINUTE_MS);
      expect(await progress()).toMatchObject({ status: "running", redriven: 1, refused: 0 });
      await redeploy(acme, slow, SPEC);
      await sweepAt(Date.now() + 2 * MINUTE_MS);
      await sweepAt(Date.now() + 3 * MINUTE_MS);
      expect(await progress()).toMatchObject({ status: "done", redriven: 3, refused: 0 });
    });
  });

  it("K4: handed on by one who died over it, and then by another, it is the same", async () => {
    const { id } = await dead("[[tool-steps-1-1]] twice");
    await mended(async () => {
      const path = `/v1/dead-letters/${id}/redrive`;
      const first = await acme.json<Invocation>(path, 202, { method: "POST" });
      await env.DB.prepare(
        "UPDATE dead_letter SET state = 'redriving', taken_at_ms = 0 WHERE id = ?",
      )
        .bind(id)
        .run();
      const as = await newKey(acme, { agent: "fragile" });
      const second = await acme.json<Invocation>(path, 202, { method: "POST", as });
      expect(second.id).toBe(first.id);
    });
  });

  it("F25: a key of one agent re-drives its own letters alone", async () => {
    await liveAgent(acme, "narrow", SPEC);
    const as = await newKey(acme, { agent: "narrow" });
    const refused = await acme.ask("/v1/dead-letters/redrive", { json: { agent: "many" }, as });
    expect(refused.status).toBe(404);
    const own = await acme.json<Redrive>("/v1/dead-letters/redrive", 202, { json: {}, as });
    expect(own.agent_id).not.toBeNull();
    expect((await acme.ask("/v1/dead-letters/redrives", { as })).status).toBe(403);
    const listed = await acme.json<{ data: DeadLetter[] }>("/v1/dead-letters", 200, { as });
    expect(listed.data).toEqual([]);
    const { data } = await acme.json<{ data: unknown[] }>("/v1/dead-letters/causes", 200, { as });
    expect(data).toEqual([]);
  });
});
