/** Content has its time, by class, and then goes: from the object by its alarm, from the listing by cron. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BESIDE } from "../../durable-objects/agent-runtime/erasing.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { knock, sweep } from "../../workers/jobs/sweep.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newKey, newWorld } from "../fixtures/world.ts";

const DAY_MS = 86_400_000;

let acme: TestTenant;
let agent: TestAgent;

beforeEach(async () => {
  ({ acme } = await newWorld());
});

afterEach(() => {
  vi.useRealTimers();
});

type Policy = { readonly revision: number; readonly retention: object; readonly sealing: boolean };

const policy = () => acme.json<Policy>("/v1/tenant/content", 200);

async function keep(retention: object): Promise<void> {
  const { revision } = await policy();
  const headers = { "if-match": `"${revision}"` };
  await acme.json("/v1/tenant/content", 200, { method: "PATCH", headers, json: { retention } });
}

function later(days: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + days * DAY_MS });
}

/** Everything the object owes is told, and its alarm has rung until nothing is due. */
async function settled(of: TestAgent = agent): Promise<void> {
  await deliver("berth-ledger", [of.owner]);
  await swept(of);
}

async function swept(of: TestAgent = agent): Promise<void> {
  for (let i = 0; i < 4; i += 1) {
    await runtimeOf(env, of.owner).visit(of.owner, 0);
    if (!(await runDurableObjectAlarm(of.stub()))) return;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6000 });
  }
}

const codeOf = async (path: string) => {
  const answer = await acme.ask(path);
  return [answer.status, (await answer.json<{ code?: string }>()).code];
};

/** Words of the object's whole storage. */
const words = async () => {
  const tables = await agent.rows<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT IN ('release', 'meta')",
  );
  const rows = await Promise.all(tables.map(({ name }) => agent.rows(`SELECT * FROM ${name}`)));
  return JSON.stringify(rows);
};

describe("F103: what a tenant says of its content", () => {
  it("is: for ever, until it says otherwise; at its revision, in bounds, in the trail", async () => {
    expect(await policy()).toMatchObject({
      retention: { requests_days: null, events_days: null, journals_days: null, usage_days: null },
      sealing: false,
      revision: 1,
    });
    await keep({ requests_days: 30, events_days: 0 });
    expect(await policy()).toMatchObject({
      retention: { requests_days: 30, events_days: 0, journals_days: null },
      revision: 2,
    });
    await keep({ requests_days: null });
    expect(await policy()).toMatchObject({ retention: { requests_days: null, events_days: 0 } });
    const ask = (json: object, at = 3) =>
      acme.ask("/v1/tenant/content", {
        method: "PATCH",
        headers: { "if-match": `"${at}"` },
        json,
      });
    expect((await ask({ sealing: true }, 1)).status).toBe(412);
    for (const json of [{}, { retention: {} }, { retention: { requests_days: -1 } }]) {
      expect((await ask(json)).status).toBe(422);
    }
    const as = await newKey(acme, { environment: "prod" });
    const narrowed = {
      as,
      method: "PATCH",
      headers: { "if-match": '"3"' },
      json: { sealing: true },
    };
    expect((await acme.ask("/v1/tenant/content", narrowed)).status).toBe(403);
    const trail = env.DB.prepare("SELECT action FROM audit WHERE action LIKE 'tenant.content%'");
    expect((await trail.all()).results).toHaveLength(2);
  });
});

describe("F103: what has had its time", () => {
  beforeEach(async () => {
    await addProvider(acme);
  });

  it("goes by its class: events first, then journals, then all that was said", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ events_days: 1, journals_days: 2, requests_days: 3 });
    const made = await agent.ask("a word to be forgotten", { key: "k-1" });
    await settled();
    expect(await agent.get(made.id)).toEqual(made);
    later(1.1);
    await swept();
    expect(await codeOf(`/v1/invocations/${made.id}/events`)).toEqual([410, "content_erased"]);
    expect(await agent.get(made.id)).toEqual(made);
    expect((await agent.steps(made.id))[0]?.output).not.toBeNull();
    later(1);
    await swept();
    expect((await agent.steps(made.id))[0]).toMatchObject({ state: "done", output: null });
    expect(await agent.get(made.id)).toEqual(made);
    later(1);
    await swept();
    expect(await words()).not.toContain("forgotten");
    for (const part of ["", "/steps", "/events"]) {
      const told = await codeOf(`/v1/invocations/${made.id}${part}`);
      expect([part, told]).toEqual([part, [410, "content_erased"]]);
    }
  });

  it("leaves a key its meaning for a week: repeated, it answers 410 and runs nothing", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 0 });
    const { id } = await agent.ask("once", { key: "k-1" });
    const keyless = await agent.ask("nobody asks again");
    await settled();
    expect(await codeOf(`/v1/invocations/${keyless.id}`)).toEqual([404, "not_found"]);
    const again = await agent.send("once", { key: "k-1" });
    expect([again.status, await again.json()]).toMatchObject([410, { code: "content_erased" }]);
    const other = await agent.send("something else", { key: "k-1" });
    expect([other.status, await other.json()]).toMatchObject([
      422,
      { code: "idempotency_mismatch" },
    ]);
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([{ id }]);
    later(7.1);
    await swept();
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([]);
    expect((await agent.ask("once", { key: "k-1" })).status).toBe("succeeded");
  });

  it("DECISIONS 22: is nothing that the ledger has not acknowledged", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 0 });
    const { id } = await agent.ask("not told yet");
    await agent.rows("UPDATE invocation SET pending = 2");
    later(30);
    await swept();
    expect((await agent.get(id)).id).toBe(id);
    later(0.1);
    await settled();
    expect(await codeOf(`/v1/invocations/${id}`)).toEqual([404, "not_found"]);
    const listed = await acme.json<{ data: { id: string }[] }>("/v1/invocations", 200);
    expect(listed.data.map((row) => row.id)).toContain(id);
  });

  it("is no open run: one that lasts holds up nothing behind it", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 1 });
    const first = await agent.ask("this one is still at work");
    const second = await agent.ask("this one is done");
    await settled();
    const open =
      "UPDATE invocation SET completed_ms = NULL, pending = 1, status = 'waiting' WHERE id = ?";
    await agent.rows(open, first.id);
    later(2);
    await swept();
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([{ id: first.id }]);
    expect(await agent.rows("SELECT invocation_id FROM put_aside")).toContainEqual({
      invocation_id: first.id,
    });
    expect(await codeOf(`/v1/invocations/${second.id}`)).toEqual([404, "not_found"]);
    const done =
      "UPDATE invocation SET completed_ms = ?, pending = NULL, status = 'succeeded' WHERE id = ?";
    await agent.rows(done, Date.now(), first.id);
    later(2);
    await swept();
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([]);
    expect(await agent.rows("SELECT * FROM put_aside")).toEqual([]);
  });

  it("takes large content, sessions without a turn and histories along", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 1 });
    const long = await agent.ask("ß".repeat(350_000), { body: { session_id: "order-1" } });
    await settled();
    later(0.9);
    const next = await agent.ask("and then?", { body: { session_id: long.session_id } });
    await settled();
    later(0.2);
    await swept();
    expect(await agent.rows("SELECT DISTINCT ref FROM content")).toEqual([]);
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([{ id: next.id }]);
    const third = await agent.ask("still there?", { body: { session_id: "order-1" } });
    expect([third.session_id, third.status]).toEqual([long.session_id, "succeeded"]);
    await settled();
    later(1.1);
    await swept();
    expect(await agent.rows("SELECT * FROM session")).toEqual([]);
  });

  it("a session without a name goes on behind its first turn, and stays its speaker's", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 1 });
    const { session_id } = await agent.ask("Hello?");
    await settled();
    later(0.9);
    const next = await agent.ask("and then?", { body: { session_id } });
    await settled();
    later(0.2);
    await swept();
    expect(await agent.rows("SELECT id FROM invocation")).toEqual([{ id: next.id }]);
    const as = await newKey(acme);
    expect((await agent.send("whose?", { body: { session_id }, as })).status).toBe(404);
    expect(await agent.ask("still there?", { body: { session_id } })).toMatchObject({ session_id });
  });

  it("goes from idle agents too: cron tells them what their tenant wants", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    const { id } = await agent.ask("nobody calls again");
    await settled();
    await keep({ requests_days: 1 });
    later(2);
    const at = (owner: TestAgent["owner"]) => runtimeOf(env, owner);
    for (let minute = 0; minute < 32; minute += 1) {
      await knock(servicesOf(env).platform, at, minute * 60_000);
    }
    await swept();
    expect(await agent.rows("SELECT id FROM invocation WHERE id = ?", id)).toEqual([]);
  });

  it("goes from the listing and from usage by cron, each in its time", async () => {
    agent = await liveAgent(acme, "support");
    await keep({ requests_days: 1, usage_days: 30 });
    const { id } = await agent.ask("Hello?");
    await settled();
    const count = async (table: string) =>
      (await env.DB.prepare(`SELECT count(*) AS n FROM ${table}`).first<{ n: number }>())?.n;
    expect([await count("invocation"), await count("usage_record")]).toEqual([1, 1]);
    later(8.1);
    await sweep({ cron: "* * * * *" }, env);
    expect([await count("invocation"), await count("usage_record")]).toEqual([0, 1]);
    await swept();
    expect(await codeOf(`/v1/invocations/${id}`)).toEqual([404, "not_found"]);
    later(22);
    await sweep({ cron: "* * * * *" }, env);
    expect(await count("usage_record")).toBe(0);
  });
});

/** Tables of the object that hold what is one invocation's, by the module that empties them. */
const ELSEWHERE = {
  "ends with its run": ["reservation"],
  "retention's own": ["joined", "put_aside"],
};

it("F103: every table that holds what is one invocation's is emptied with it", async () => {
  agent = await liveAgent(acme, "support", { model: "local/extract" });
  const tables = await agent.rows<{ name: string }>(
    `SELECT s.name FROM sqlite_schema s JOIN pragma_table_info(s.name) c
     WHERE s.type = 'table' AND c.name = 'invocation_id' ORDER BY s.name`,
  );
  const swept = [...BESIDE, ...Object.values(ELSEWHERE).flat()].toSorted();
  expect(tables.map(({ name }) => name)).toEqual(swept);
});

describe("F103: a soak", () => {
  it("keeps storage bounded: what goes makes room for what comes", async () => {
    agent = await liveAgent(acme, "support", { model: "local/extract" });
    await keep({ requests_days: 0 });
    const sizes: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const wave = Array.from({ length: 40 }, (_, n) =>
        agent.ask(`${"word ".repeat(400)} ${round} ${n}`),
      );
      expect((await Promise.all(wave)).every(({ status }) => status === "succeeded")).toBe(true);
      await settled();
      const pages = await agent.rows<{ n: number }>("SELECT count(*) AS n FROM invocation");
      sizes.push(pages[0]?.n ?? -1);
    }
    expect(sizes).toEqual([0, 0, 0, 0, 0, 0]);
    for (const table of ["event", "step", "content", "session"]) {
      expect([table, await agent.rows(`SELECT * FROM ${table}`)]).toEqual([table, []]);
    }
  });
});
