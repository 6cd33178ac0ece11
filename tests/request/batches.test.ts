/** F109: many inputs at once, through a queue to agents. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Batch, BatchResult } from "../../core/batches/contract.ts";
import { resendBatches } from "../../workers/jobs/batches.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});
afterEach(() => {
  vi.useRealTimers();
});

const ask = (agent: TestAgent, inputs: readonly object[], headers: Record<string, string> = {}) =>
  acme.ask("/v1/batches", { json: { agent: agent.slug, inputs }, headers });

const made = async (agent: TestAgent, inputs: readonly object[]): Promise<Batch> => {
  const response = await ask(agent, inputs);
  expect(response.status).toBe(202);
  return response.json<Batch>();
};

const get = (id: string) => acme.json<Batch>(`/v1/batches/${id}`, 200);

/** Deliver the wake-up of each chunk, as the queue would, as often as it likes. */
const wake = ({ id }: Batch, first = 0) =>
  deliver("berth-batches", [{ tenantId: acme.id, batchId: id, first }]);

const results = async ({ id }: Pick<Batch, "id">, query = ""): Promise<readonly BatchResult[]> => {
  const response = await acme.ask(`/v1/batches/${id}/results${query}`);
  expect(response.headers.get("content-type")).toBe("application/jsonl");
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as BatchResult);
};

/** All that was handed over has ended, and the ledger knows. */
const ended = async (agent: TestAgent, batch: Batch): Promise<Batch> => {
  for (const { invocation_id: id } of await results(batch)) if (id !== null) await agent.events(id);
  await deliver("berth-ledger", [agent.owner]);
  return get(batch.id);
};

const rowsOf = (agent: TestAgent) =>
  agent.rows<{ id: string; idem: string }>("SELECT id, idem FROM invocation ORDER BY idem");

describe("a batch", () => {
  it("F109: runs each input once, however often its messages come", async () => {
    const agent = await liveAgent(acme, "each-once");
    const inputs = Array.from({ length: 120 }, (_, i) => ({ input: `n${i}`, id: `row-${i}` }));
    const batch = await made(agent, inputs);
    expect(batch).toMatchObject({ status: "running", total: 120, done: 0, eta: null, notices: [] });
    await Promise.all([wake(batch), wake(batch, 100), wake(batch), wake(batch, 100)]);
    await wake(batch, 100);
    const done = await ended(agent, batch);
    expect(done).toMatchObject({ status: "completed", done: 120, eta: null });
    expect(done.counts).toEqual({
      waiting: 0,
      open: 0,
      succeeded: 120,
      failed: 0,
      cancelled: 0,
      refused: 0,
    });
    expect(await rowsOf(agent)).toHaveLength(120);
    const lines = await results(batch);
    expect(lines.map(({ item }) => item)).toEqual(inputs.map((_, i) => i));
    expect(lines.map(({ id }) => id)).toEqual(inputs.map(({ id }) => id));
    expect(lines[117]).toMatchObject({
      status: "succeeded",
      output: { text: "echo: n117" },
      error: null,
    });
    expect(await results(batch, "?status=failed")).toEqual([]);
  });

  it("F109: takes JSON lines, and says which line is wrong", async () => {
    const agent = await liveAgent(acme, "lines");
    const headers = { "content-type": "application/jsonl" };
    const path = `/v1/batches?agent=${agent.slug}`;
    const body = '{"input":"a"}\n{"input":"b","session_id":"s"}\n\n';
    const response = await acme.ask(path, { method: "POST", headers, raw: body });
    expect([response.status, await response.json()]).toMatchObject([202, { total: 2 }]);
    const broken = await acme.ask(path, { method: "POST", headers, raw: '{"input":"a"}\n{"in' });
    expect([broken.status, await broken.json()]).toMatchObject([
      400,
      { code: "malformed_json", detail: "the line 1 of the body is not JSON" },
    ]);
    const odd = await acme.ask(path, { method: "POST", headers, raw: '{"input":"a"}\n{"x":1}' });
    expect([odd.status, await odd.json()]).toMatchObject([422, { code: "invalid" }]);
    const nobody = await acme.ask("/v1/batches", { method: "POST", headers, raw: body });
    expect([nobody.status, await nobody.json()]).toMatchObject([
      422,
      { errors: [{ pointer: "/agent" }] },
    ]);
  });

  it("G4: with one Idempotency-Key is one batch, also in parallel; another body is refused", async () => {
    const agent = await liveAgent(acme, "keyed-batch");
    const headers = { "idempotency-key": "once" };
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => ask(agent, [{ input: "a" }], headers)),
    );
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    const ids = await Promise.all(answers.map(async (it) => (await it.json<Batch>()).id));
    expect(new Set(ids).size).toBe(1);
    expect(answers.filter((it) => it.headers.has("idempotency-replayed"))).toHaveLength(3);
    const other = await ask(agent, [{ input: "b" }], headers);
    expect([other.status, await other.json()]).toMatchObject([
      422,
      { code: "idempotency_mismatch" },
    ]);
  });

  it("F109: of which the messages are lost is found by cron", async () => {
    const agent = await liveAgent(acme, "lost-batch");
    const batch = await made(agent, [{ input: "a" }]);
    const sent: unknown[] = [];
    const queue = {
      sendBatch: async (messages: Iterable<MessageSendRequest>) => {
        sent.push(...[...messages].map(({ body }) => body));
        return { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
      },
    };
    const mine = () => sent.filter((it) => (it as { batchId: string }).batchId === batch.id);
    await resendBatches(servicesOf(env).platform, queue, Date.now() + 60_000);
    expect(mine().length).toBeLessThanOrEqual(2);
    await deliver("berth-batches", mine());
    await wake(batch);
    expect((await ended(agent, batch)).status).toBe("completed");
    await deliver("berth-batches", [{ tenantId: acme.id, batchId: batch.id }]);
    sent.length = 0;
    await resendBatches(servicesOf(env).platform, queue, Date.now() + 7_200_000);
    expect(mine()).toEqual([]);
  });
});

describe("limits", () => {
  it("F178: an agent's rate is told before, kept, and drops nothing", async () => {
    const limits = { requests_per_minute: 5 };
    const agent = await liveAgent(acme, "paced", { limits });
    vi.useFakeTimers({ toFake: ["Date"] });
    const batch = await made(
      agent,
      Array.from({ length: 12 }, (_, i) => ({ input: `n${i}` })),
    );
    expect(batch.notices).toEqual([
      {
        code: "rate_limited",
        detail: "the agent admits 5 requests a minute: this takes at least 3 minutes",
      },
    ]);
    const handed: number[] = [];
    for (let minute = 0; minute < 4; minute += 1) {
      await wake(batch);
      handed.push((await rowsOf(agent)).length);
      vi.setSystemTime(Date.now() + 61_000);
    }
    expect(handed).toEqual([5, 10, 12, 12]);
    expect((await ended(agent, batch)).counts).toMatchObject({ succeeded: 12, refused: 0 });
  });

  it("U1: leaves room for everybody else", async () => {
    const agent = await liveAgent(acme, "roomy", { limits: { queue_depth: 4 } });
    const batch = await made(
      agent,
      Array.from({ length: 6 }, () => ({ input: "[[hang]]" })),
    );
    const waking = wake(batch);
    await vi.waitFor(async () => expect(await rowsOf(agent)).toHaveLength(2));
    expect((await agent.ask("direct")).output?.text).toBe("echo: direct");
    await acme.json(`/v1/batches/${batch.id}/cancel`, 200, { method: "POST" });
    await deliver("berth-batches", [{ tenantId: acme.id, batchId: batch.id }]);
    await waking;
    const done = await ended(agent, batch);
    expect(done.counts.cancelled).toBe(6);
  });

  it("F178: what a key's credits do not cover is refused as a whole", async () => {
    const agent = await liveAgent(acme, "credited");
    const key = await acme.json<{ secret: string }>("/v1/keys", 201, {
      json: { name: "few", scopes: ["agents:invoke"], credits: { budget: 3 } },
    });
    const asked = (n: number) =>
      acme.ask("/v1/batches", {
        as: key.secret,
        json: { agent: agent.slug, inputs: Array.from({ length: n }, () => ({ input: "a" })) },
      });
    const dear = await asked(4);
    expect([dear.status, await dear.json()]).toMatchObject([402, { code: "budget_exceeded" }]);
    expect((await asked(3)).status).toBe(202);
    expect((await asked(1)).status).toBe(402);
  });

  it("F109: only an input the agent would never take is refused, and the others go on", async () => {
    const agent = await liveAgent(acme, "picky", { limits: { max_cost_micros: 5000 } });
    const batch = await made(agent, [
      { input: "a" },
      { input: "b", max_cost_micros: 1, id: "dear" },
      { input: "c", session_id: "ses_01m7x8ay60nbpssza0vdv0ng40" },
    ]);
    await wake(batch);
    const done = await ended(agent, batch);
    expect(done).toMatchObject({ status: "completed", counts: { succeeded: 1, refused: 2 } });
    expect(await results(batch, "?status=refused")).toMatchObject([
      { item: 1, id: "dear", invocation_id: null, error: { code: "budget_exceeded" } },
      { item: 2, error: { code: "not_found" } },
    ]);
  });
});

describe("an end", () => {
  it("F109: a cancel reaches what runs and what waits, and nothing is handed over after it", async () => {
    const agent = await liveAgent(acme, "ended-early", { limits: { queue_depth: 6 } });
    const batch = await made(
      agent,
      Array.from({ length: 5 }, () => ({ input: "[[hang]]" })),
    );
    const waking = wake(batch);
    await vi.waitFor(async () => expect(await rowsOf(agent)).toHaveLength(3));
    const cancelling = await acme.json<Batch>(`/v1/batches/${batch.id}/cancel`, 200, {
      method: "POST",
    });
    expect(cancelling.status).toMatch(/^cancell/);
    await deliver("berth-batches", [{ tenantId: acme.id, batchId: batch.id }]);
    await waking;
    await wake(batch);
    const done = await ended(agent, batch);
    expect(done).toMatchObject({ status: "cancelled", done: 5, counts: { cancelled: 5 } });
    const again = await acme.ask(`/v1/batches/${batch.id}/cancel`, { method: "POST" });
    expect(again.status).toBe(200);
  });

  it("F109: failures are run again as a batch of their own", async () => {
    const agent = await liveAgent(acme, "failing");
    const batch = await made(agent, [
      { input: "fine" },
      { input: "[[status-401]]", id: "bad" },
      { input: "too dear", max_cost_micros: 1, id: "dear" },
    ]);
    const early = await acme.ask(`/v1/batches/${batch.id}/redrive`, { method: "POST" });
    expect(early.status).toBe(409);
    await wake(batch);
    const done = await ended(agent, batch);
    expect(done.counts).toMatchObject({ succeeded: 1, failed: 1, refused: 1 });
    const again = await acme.json<Batch>(`/v1/batches/${batch.id}/redrive`, 202, {
      method: "POST",
    });
    expect(again).toMatchObject({ redriven_from: batch.id, total: 2, status: "running" });
    await wake(again);
    expect((await results(again)).map(({ id }) => id)).toEqual(["bad", "dear"]);
    expect((await get(batch.id)).counts).toEqual(done.counts);
  });

  it("G10: whoever asked for it and may no longer ends it", async () => {
    const agent = await liveAgent(acme, "revoked-batch", { limits: { requests_per_minute: 1 } });
    const key = await acme.json<{ id: string; secret: string }>("/v1/keys", 201, {
      json: { name: "brief", scopes: ["agents:invoke"] },
    });
    const batch = await acme.json<Batch>("/v1/batches", 202, {
      as: key.secret,
      json: { agent: agent.slug, inputs: [{ input: "[[hang]]" }, { input: "[[hang]]" }] },
    });
    await acme.json(`/v1/keys/${key.id}/revoke`, 200, { method: "POST" });
    servicesOf(env).keys.forget(key.id);
    await wake(batch);
    // The queue itself may have handed one over before.
    const done = await ended(agent, batch);
    expect(done).toMatchObject({
      status: "cancelled",
      counts: { cancelled: 2 },
      error: { code: "forbidden" },
    });
  });
});

it("F105: reading results is an audit entry", async () => {
  const agent = await liveAgent(acme, "audited-batch");
  const batch = await made(agent, [{ input: "a" }]);
  await results(batch);
  const { data } = await acme.json<{ data: { action: string; resource: { id: string } }[] }>(
    `/v1/audit?resource_id=${batch.id}`,
    200,
  );
  const actions = data.map(({ action }) => action);
  expect(actions).toContain("batch.results_read");
  expect(actions).toContain("batch.created");
});
