/** What is left beside invocations that have had their time: batches, merged requests, parked runs (F103). */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Batch, BatchResult } from "../../core/batches/contract.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { sweep } from "../../workers/jobs/sweep.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

const DAY_MS = 86_400_000;

let acme: TestTenant;

beforeEach(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});

afterEach(() => {
  vi.useRealTimers();
});

async function keepRequests(days: number): Promise<void> {
  const headers = { "if-match": '"1"' };
  const json = { retention: { requests_days: days } };
  await acme.json("/v1/tenant/content", 200, { method: "PATCH", headers, json });
}

function later(days: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + days * DAY_MS });
}

/** The object's alarm has rung until nothing is due. */
async function swept({ owner, stub }: TestAgent): Promise<void> {
  for (let i = 0; i < 4; i += 1) {
    await runtimeOf(env, owner).visit(owner, 0);
    if (!(await runDurableObjectAlarm(stub()))) return;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 600_001 });
  }
}

const count = async (table: string) =>
  (await env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>())?.n;

it("F103: an ended batch loses its inputs and results, and is gone a week later", async () => {
  const agent = await liveAgent(acme, "support");
  await keepRequests(2);
  const json = { agent: agent.slug, inputs: [{ input: "a" }, { input: "[[status-400]] b" }] };
  const headers = { "idempotency-key": "nightly" };
  const made = await acme.json<Batch>("/v1/batches", 202, { json, headers });
  await deliver("berth-batches", [{ tenantId: acme.id, batchId: made.id, first: 0 }]);
  const path = `/v1/batches/${made.id}`;
  const lines = (await (await acme.ask(`${path}/results`)).text()).trimEnd().split("\n");
  for (const line of lines) {
    const { invocation_id: id } = JSON.parse(line) as BatchResult; // as its route has it
    if (id !== null) await agent.events(id);
  }
  await deliver("berth-ledger", [agent.owner]);
  await deliver("berth-batches", [{ tenantId: acme.id, batchId: made.id }]);
  const done = await acme.json<Batch>(path, 200);
  expect(done).toMatchObject({ status: "completed", counts: { succeeded: 1, failed: 1 } });
  later(1);
  await sweep({ cron: "* * * * *" }, env);
  expect([await count("batch_chunk"), await count("batch_result")]).toEqual([1, 2]);
  later(1.1);
  await sweep({ cron: "* * * * *" }, env);
  const left = [await count("batch"), await count("batch_chunk"), await count("batch_result")];
  expect(left).toEqual([1, 0, 0]);
  expect(await acme.json(path, 200)).toEqual(done);
  for (const [way, method] of [
    ["results", "GET"],
    ["redrive", "POST"],
  ] as const) {
    const gone = await acme.ask(`${path}/${way}`, { method });
    expect([way, gone.status, await gone.json()]).toMatchObject([
      way,
      410,
      { code: "content_erased" },
    ]);
  }
  // Its key means it still: nothing runs twice.
  expect(await acme.json("/v1/batches", 202, { json, headers })).toEqual(done);
  later(7);
  await sweep({ cron: "* * * * *" }, env);
  expect(await count("batch")).toBe(0);
  expect((await acme.ask(path)).status).toBe(404);
});

it("F103: keys of requests that joined a turn go with the turn's own row", async () => {
  const session = { policy: "merge", merge_window_ms: 60_000 };
  const agent = await liveAgent(acme, "merges", { session });
  await keepRequests(1);
  const body = { session_id: "one" };
  const first = await agent.start("one", { body });
  const second = await agent.start("two", { body, key: "joined" });
  expect(second.id).toBe(first.id);
  later(0.01);
  await swept(agent);
  await agent.ended(first.id);
  await deliver("berth-ledger", [agent.owner]);
  later(1.1);
  await swept(agent);
  expect(await agent.rows("SELECT idem FROM joined")).toEqual([{ idem: "joined" }]);
  const again = await agent.send("two", { body, key: "joined" });
  expect([again.status, await again.json()]).toMatchObject([410, { code: "content_erased" }]);
  later(7.1);
  await swept(agent);
  expect(await agent.rows("SELECT * FROM joined")).toEqual([]);
  expect(await agent.rows("SELECT id FROM invocation")).toEqual([]);
});

it("F103: a run that ended while it was parked leaves no mark behind", async () => {
  const breaker = { failures: 1, open_ms: 60_000 };
  const agent = await liveAgent(acme, "parks", { breaker, retry: { attempts: 20, base_ms: 1 } });
  await keepRequests(1);
  const { id } = await agent.start("[[status-500]] one");
  await expect.poll(async () => (await agent.get(id)).status).toBe("waiting");
  expect((await agent.cancel(id)).status).toBe(200);
  expect(await agent.rows("SELECT invocation_id FROM parked")).toEqual([{ invocation_id: id }]);
  await deliver("berth-ledger", [agent.owner]);
  later(1.1);
  await swept(agent);
  expect(await agent.rows("SELECT * FROM parked")).toEqual([]);
});
