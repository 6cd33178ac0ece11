import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Owner } from "../../durable-objects/agent-runtime/contract.ts";
import { runtimeOf } from "../../workers/api/runtime.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { consumeLedger } from "../../workers/jobs/ledger.ts";
import { knock } from "../../workers/jobs/sweep.ts";
import { type TestTenant, deliver, deploy, newAgent, newKey, newWorld } from "../fixtures/world.ts";

type Invocation = {
  readonly id: string;
  readonly status: string;
  readonly session_id: string;
  readonly redriven_from: string | null;
};

let acme: TestTenant;
let agentId: string;
beforeAll(async () => {
  ({ acme } = await newWorld());
  ({ id: agentId } = await newAgent(acme, "support"));
  await deploy(acme, agentId);
});

const ask = (input = "Where is the office?") =>
  acme.json<Invocation>("/a/support/invoke", 200, { json: { input } });

/** Deliver the agent's wake-up, as its object sends it. */
const tellLedger = () =>
  deliver("berth-ledger", [
    { tenantId: acme.id, agentId, environment: "prod", replica: 0 },
    { tenantId: acme.id, agentId, environment: "prod", replica: 0 },
  ]);

/** Of objects where nothing waits for a decision. */
const NO_APPROVALS = {
  approvalsOwed: () => Promise.resolve({ ok: true, entries: [] } as const),
  acknowledgeApprovals: () => Promise.resolve({ ok: true } as const),
};

describe("one invocation", () => {
  it("is found by its id alone, whatever the listing knows", async () => {
    const { id } = await ask();
    const found = await acme.json<Invocation>(`/v1/invocations/${id}`, 200);
    expect(found).toMatchObject({ id, status: "succeeded", agent: "support" });
    const { data } = await acme.json<{ data: { kind: string; state: string }[] }>(
      `/v1/invocations/${id}/steps`,
      200,
    );
    expect(data).toMatchObject([{ kind: "model", state: "done" }]);
  });

  it("tells its events from any point on, without a gap or a repeat", async () => {
    const { id } = await ask();
    const path = `/v1/invocations/${id}/events`;
    const whole = await acme.ask(path);
    expect(whole.headers.get("content-type")).toContain("text/event-stream");
    const all = sequence(await whole.text());
    expect(all[0]).toBe(1);
    expect(all).toEqual(all.map((_, index) => index + 1));
    const headers = { "last-event-id": "2" };
    expect(sequence(await (await acme.ask(path, { headers })).text())).toEqual(all.slice(2));
    expect(sequence(await (await acme.ask(`${path}?after=2`)).text())).toEqual(all.slice(2));
    expect((await acme.ask(`${path}?after=x`)).status).toBe(422);
  });

  it("may be run again when it has ended, and only then cancelled no more", async () => {
    const first = await ask();
    const path = `/v1/invocations/${first.id}`;
    expect((await acme.ask(`${path}/cancel`, { method: "POST" })).status).toBe(409);
    const headers = { "idempotency-key": "again-please" };
    const retried = await acme.ask(`${path}/retry`, { method: "POST", headers });
    expect(retried.status).toBe(202);
    const again = await retried.json<Invocation>();
    expect(retried.headers.get("location")).toBe(`/v1/invocations/${again.id}`);
    expect(again).toMatchObject({ redriven_from: first.id, session_id: first.session_id });
    const replayed = await acme.ask(`${path}/retry`, { method: "POST", headers });
    expect(replayed.headers.get("idempotency-replayed")).toBe("true");
    expect(await replayed.json()).toMatchObject({ id: again.id });
  });

  it("is not found by an id that is none, or of an object that is none", async () => {
    for (const id of ["inv_0", "x", "inv_".padEnd(30, "0"), "..%2fkeys", "%00"]) {
      expect((await acme.ask(`/v1/invocations/${id}`)).status).toBe(404);
    }
  });

  it("is hidden from a key narrowed to another agent or environment", async () => {
    const { id } = await ask();
    await newAgent(acme, "other");
    for (const narrowing of [{ agent: "other" }, { environment: "dev" }]) {
      const as = await newKey(acme, narrowing);
      for (const path of ["", "/steps", "/events"]) {
        expect((await acme.ask(`/v1/invocations/${id}${path}`, { as })).status).toBe(404);
      }
      const listed = await acme.json("/v1/invocations", 200, { as });
      expect(listed).toMatchObject({ data: [] });
    }
  });
});

describe("the ledger", () => {
  it("lists each invocation and owes each call once, however often it is told", async () => {
    const { id } = await ask();
    await tellLedger();
    await tellLedger();
    const page = await acme.json<{ data: Invocation[] }>("/v1/invocations?limit=100", 200);
    expect(page.data.filter((row) => row.id === id)).toHaveLength(1);
    expect(page.data[0]).toMatchObject({ agent: "support", status: "succeeded" });
    const usage = await acme.json<{ data: { invocation_id: string }[] }>(
      "/v1/usage?limit=100",
      200,
    );
    expect(usage.data.filter((row) => row.invocation_id === id)).toHaveLength(1);
    const totals = await acme.json<{ data: { key: string; model_calls: number }[] }>(
      "/v1/usage/totals?by=model",
      200,
    );
    expect(totals.data).toMatchObject([{ key: "local/extract" }]);
    expect(totals.data[0]?.model_calls).toBe(usage.data.length);
  });

  it("is written before the object is told to forget: dying between repeats it and no more", async () => {
    const { id } = await ask();
    const job = {
      platform: servicesOf(env).platform,
      runtimeOf: (owner: Owner) => ({
        ...NO_APPROVALS,
        ledger: (of: Owner, limit: number) => runtimeOf(env, owner).ledger(of, limit),
        acknowledge: () => Promise.reject(new Error("died before the acknowledgement")),
      }),
    };
    const outcomes: string[] = [];
    const message = {
      body: { tenantId: acme.id, agentId, environment: "prod", replica: 0 },
      attempts: 1,
      ack: () => void outcomes.push("ack"),
      retry: () => void outcomes.push("retry"),
    };
    await consumeLedger({ queue: "berth-ledger", messages: [message, message] }, job);
    expect(outcomes).toEqual(["retry", "retry"]);
    await tellLedger();
    const { data } = await acme.json<{ data: Invocation[] }>("/v1/invocations?limit=100", 200);
    expect(data.filter((row) => row.id === id)).toHaveLength(1);
  });

  it("of an object that does not answer holds up no other of its batch", async () => {
    const { id } = await ask();
    const there = { tenantId: acme.id, agentId, environment: "prod", replica: 0 };
    const gone = { ...there, environment: "nowhere" };
    const outcomes: string[] = [];
    const messages = [gone, there].map((body) => ({
      body,
      attempts: 1,
      ack: () => void outcomes.push(`${body.environment} ack`),
      retry: () => void outcomes.push(`${body.environment} retry`),
    }));
    const away = () => Promise.reject(new Error("the object is away"));
    const job = {
      platform: servicesOf(env).platform,
      runtimeOf: (to: Owner) =>
        to.environment === "nowhere"
          ? { ...NO_APPROVALS, ledger: away, acknowledge: away }
          : runtimeOf(env, to),
    };
    await consumeLedger({ queue: "berth-ledger", messages }, job);
    expect(outcomes.toSorted()).toEqual(["nowhere retry", "prod ack"]);
    const { data } = await acme.json<{ data: Invocation[] }>("/v1/invocations?limit=100", 200);
    expect(data.filter((row) => row.id === id)).toHaveLength(1);
  });

  it("is filtered by agent, status, session and time, and refuses what it does not know", async () => {
    const { id, session_id } = await ask();
    await tellLedger();
    const list = (query: string) =>
      acme.json<{ data: Invocation[] }>(`/v1/invocations?${query}`, 200).then(({ data }) => data);
    expect(await list(`session=${session_id}`)).toMatchObject([{ id }]);
    // Two of one millisecond have no order: the newest is one of the first two.
    expect(await list("agent=support&limit=1")).toHaveLength(1);
    expect((await list("agent=support&limit=2")).map((row) => row.id)).toContain(id);
    expect(await list("status=failed")).toEqual([]);
    expect(await list("since=2999-01-01T00:00:00Z")).toEqual([]);
    for (const query of ["status=odd", "limit=0", "limit=101", "since=yesterday"]) {
      expect((await acme.ask(`/v1/invocations?${query}`)).status).toBe(422);
    }
    expect((await acme.ask("/v1/invocations?cursor=nonsense")).status).toBe(400);
  });
});

describe("the sweep", () => {
  it("knocks at every object within 32 minutes, and at none twice", async () => {
    const { platform } = servicesOf(env);
    const knocked: string[] = [];
    const at = (owner: Owner) => ({
      visit: (of: Owner, generation: number) => {
        knocked.push(`${owner.tenantId} ${owner.agentId} ${owner.environment} ${generation}`);
        return runtimeOf(env, owner).visit(of, generation);
      },
    });
    for (let minute = 0; minute < 32; minute += 1) await knock(platform, at, minute * 60_000);
    expect(knocked).toEqual([`${acme.id} ${agentId} prod 1`]);
  });
});

describe("a ticket", () => {
  it("is given for one agent, and is none of a hidden one's", async () => {
    const json = { agent: "support" };
    const { ticket } = await acme.json<{ ticket: string }>("/v1/tickets", 201, { json });
    expect(ticket).toMatch(/^[0-9A-Za-z]{43}$/);
    const headers = { "idempotency-key": "one-ticket" };
    await acme.json("/v1/tickets", 201, { json, headers });
    const again = await acme.json("/v1/tickets", 201, { json, headers });
    expect(again).toMatchObject({ ticket: null });
    const as = await newKey(acme, { environment: "dev" });
    expect((await acme.ask("/v1/tickets", { as, json })).status).toBe(404);
  });
});

/** The ids of an event stream, in the order they came. */
function sequence(text: string): readonly number[] {
  return [...text.matchAll(/^id: ?(\d+)$/gm)].map(([, id]) => Number(id));
}
