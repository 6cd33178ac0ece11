/** Rate limits and credits of a key: exact, and paid for once. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { gateName } from "../../durable-objects/tenant-gate/contract.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { openChat } from "../fixtures/chat-client.ts";
import { type Minted, mint, patch, told, usage, verify } from "../fixtures/keys.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});
afterEach(() => {
  vi.useRealTimers();
});

const limited = (limit: number, period_seconds = 3600): Promise<Minted> =>
  mint(acme, { rate_limits: [{ limit, period_seconds }] });
const credited = (budget: number, refill?: object): Promise<Minted> =>
  mint(acme, { credits: { budget, ...(refill === undefined ? {} : { refill }) } });

const read = (as: string) => acme.ask("/v1/agents", { as });
const invoke = async (as: string, wanted: object = {}) => {
  const answer = await agent.send("hello", { as, ...wanted });
  await answer.clone().text();
  return answer;
};
const left = async ({ id }: Minted) => (await usage(acme, id)).credits?.remaining;

/** All of many parallel calls, by status. */
async function statuses(calls: readonly Promise<Response>[]): Promise<Record<number, number>> {
  const counted: Record<number, number> = {};
  for (const answer of await Promise.all(calls)) {
    await answer.text();
    counted[answer.status] = (counted[answer.status] ?? 0) + 1;
  }
  return counted;
}

const gateRows = (statement: string) =>
  runInDurableObject(env.TENANT_GATE.getByName(gateName(acme.id)), (_gate, { storage }) =>
    storage.sql.exec(statement).toArray(),
  );

describe("F36: the rate limit of a key", () => {
  it("admits exactly the limit, from any number of parallel requests", async () => {
    const { secret } = await limited(7);
    const calls = Array.from({ length: 30 }, () => read(secret));
    expect(await statuses(calls)).toEqual({ 200: 7, 429: 23 });
  });

  it("says what is left, and when there is more, on success and refusal", async () => {
    const { secret } = await mint(acme, {
      rate_limits: [
        { limit: 2, period_seconds: 60 },
        { limit: 100, period_seconds: 3600 },
      ],
    });
    const first = await read(secret);
    expect(first.headers.get("ratelimit-policy")).toBe(
      '"key-60s";q=2;w=60, "key-3600s";q=100;w=3600',
    );
    expect(first.headers.get("ratelimit")).toBe('"key-60s";r=1;t=30, "key-3600s";r=99;t=36');
    await read(secret);
    const refused = await read(secret);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(refused.headers.get("ratelimit")).toBe('"key-60s";r=0;t=60, "key-3600s";r=98;t=72');
    expect(await refused.json()).toMatchObject({
      code: "rate_limited",
      quotas: [{ name: "key-60s", limit: 2, period_seconds: 60, remaining: 0 }, {}],
    });
  });

  it("is over when it says so, and refused requests have not moved that", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const { secret } = await limited(1, 10);
    expect((await read(secret)).status).toBe(200);
    for (let n = 0; n < 5; n += 1) {
      vi.setSystemTime(startMs + n * 1000);
      expect((await read(secret)).status).toBe(429);
    }
    vi.setSystemTime(startMs + 10_000);
    expect((await read(secret)).status).toBe(200);
  });

  it("is of this key alone, whoever made it, and lost when its holder lacks the scope", async () => {
    const [one, other] = [await limited(1), await limited(1)];
    expect((await read(one.secret)).status).toBe(200);
    expect((await read(other.secret)).status).toBe(200);
    const narrow = await mint(acme, {
      scopes: ["agents:read"],
      rate_limits: [{ limit: 1, period_seconds: 3600 }],
    });
    for (let n = 0; n < 3; n += 1) expect((await invoke(narrow.secret)).status).toBe(403);
    expect((await read(narrow.secret)).status).toBe(200);
  });

  it("an agent's own refusal says its limit in the same fields", async () => {
    const slow = await liveAgent(acme, "slow", { limits: { requests_per_minute: 1 } });
    expect((await slow.send("hello")).status).toBe(200);
    const refused = await slow.send("hello");
    expect(refused.status).toBe(429);
    expect(refused.headers.get("ratelimit-policy")).toBe('"agent";q=1;w=60');
    expect(refused.headers.get("ratelimit")).toMatch(/^"agent";r=0;t=\d+$/);
  });
});

describe("F36: the credits of a key", () => {
  it("are one for each invocation, exactly, from any number of parallel ones", async () => {
    const key = await credited(5);
    const calls = Array.from({ length: 12 }, () => invoke(key.secret));
    expect(await statuses(calls)).toEqual({ 200: 5, 402: 7 });
    expect(await left(key)).toBe(0);
  });

  it("say what is left and when they are refilled, when they are used up", async () => {
    const key = await credited(1, { amount: 3, interval_seconds: 3600 });
    const answer = await invoke(key.secret);
    expect(answer.headers.get("ratelimit")).toBe('"credits";r=0;t=3600');
    const refused = await invoke(key.secret);
    expect(refused.headers.get("ratelimit")).toMatch(/^"credits";r=0;t=3(600|599)$/);
    expect([refused.status, await refused.json()]).toMatchObject([
      402,
      {
        code: "budget_exceeded",
        quotas: [{ name: "credits", limit: 3, period_seconds: 3600, remaining: 0 }],
      },
    ]);
    const bare = await credited(0);
    expect(await (await invoke(bare.secret)).json()).toMatchObject({
      quotas: [{ name: "credits", remaining: 0, reset_seconds: null }],
    });
  });

  it("are filled up each interval, and never beyond", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const key = await credited(5, { amount: 2, interval_seconds: 60 });
    for (let n = 0; n < 5; n += 1) expect((await invoke(key.secret)).status).toBe(200);
    expect((await invoke(key.secret)).status).toBe(402);
    vi.setSystemTime(startMs + 60_000);
    expect(await left(key)).toBe(2);
    vi.setSystemTime(startMs + 600_000);
    expect(await left(key)).toBe(2);
  });

  it("are not taken by what reads, by what is refused, nor by what fails before it runs", async () => {
    const key = await credited(2);
    expect((await read(key.secret)).status).toBe(200);
    const body = { session_id: "" };
    expect((await invoke(key.secret, { body })).status).toBe(422);
    const gone = await acme.ask("/a/nobody/invoke", { as: key.secret, json: { input: "x" } });
    expect(gone.status).toBe(404);
    const slow = await liveAgent(acme, "slower", { limits: { requests_per_minute: 1 } });
    expect((await slow.send("hello", { as: key.secret })).status).toBe(200);
    expect((await slow.send("hello", { as: key.secret })).status).toBe(429);
    expect(await left(key)).toBe(1);
  });

  it("are paid once by a request that is repeated, also when none are left", async () => {
    const key = await credited(1);
    const first = await invoke(key.secret, { key: "order-1" });
    const again = await invoke(key.secret, { key: "order-1" });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await invoke(key.secret, { key: "order-2" })).status).toBe(402);
    expect((await invoke(key.secret, { key: "order-1" })).status).toBe(200);
    expect(await left(key)).toBe(0);
  });

  it("are paid once by parallel requests of one name", async () => {
    const key = await credited(3);
    const calls = Array.from({ length: 8 }, () => invoke(key.secret, { key: "same" }));
    expect(await statuses(calls)).toEqual({ 200: 8 });
    expect(await left(key)).toBe(2);
  });

  it("are paid once under another address of the same agent, and twice for another body", async () => {
    const key = await credited(3);
    await invoke(key.secret, { key: "by-slug" });
    const byId = await acme.ask(`/a/${agent.id}/invoke`, {
      as: key.secret,
      json: { input: "hello" },
      headers: { "idempotency-key": "by-slug" },
    });
    expect(byId.headers.get("idempotency-replayed")).toBe("true");
    expect(await left(key)).toBe(2);
    const other = await agent.send("other", { as: key.secret, key: "by-slug" });
    expect(await told(other)).toEqual([422, "idempotency_mismatch"]);
    expect(await left(key)).toBe(2);
  });

  it("come back from a named request that was refused, so that it can be sent again", async () => {
    const key = await credited(1);
    const narrow = await liveAgent(acme, "narrow", { limits: { requests_per_minute: 1 } });
    await (await narrow.send("hello")).text();
    const refused = await narrow.send("hello", { as: key.secret, key: "later" });
    expect(refused.status).toBe(429);
    expect(await left(key)).toBe(1);
    expect(await gateRows("SELECT * FROM charge WHERE id = 'later'")).toEqual([]);
  });

  it("F34: set anew by a change take effect at once, and only once", async () => {
    const key = await credited(1);
    expect((await invoke(key.secret)).status).toBe(200);
    expect((await invoke(key.secret)).status).toBe(402);
    expect((await patch(acme, key.id, { credits: { budget: 2 } })).status).toBe(200);
    const calls = Array.from({ length: 5 }, () => invoke(key.secret));
    expect(await statuses(calls)).toEqual({ 200: 2, 402: 3 });
    expect((await patch(acme, key.id, { name: "renamed" })).status).toBe(200);
    expect(await left(key)).toBe(0);
    expect((await patch(acme, key.id, { credits: null })).status).toBe(200);
    expect((await invoke(key.secret)).status).toBe(200);
    expect((await patch(acme, key.id, { credits: { budget: 1 } })).status).toBe(200);
    expect(await left(key)).toBe(1);
  });

  it("of an isolate that knows no better do not come back", async () => {
    const key = await credited(1);
    const gate = env.TENANT_GATE.getByName(gateName(acme.id));
    const old = { units: 9, revision: 1, setAtMs: 0, refill: null };
    const meter = { subject: key.id, rates: [], credits: { ...old, units: 1, revision: 2 } };
    const spend = (credits: typeof old) =>
      runInDurableObject(gate, (one) =>
        one.spend(acme.id, { meter: { ...meter, credits }, credits: 1 }),
      );
    expect((await spend(meter.credits)).ok).toBe(true);
    expect((await spend(old)).ok).toBe(false);
  });

  it("are taken by each turn of a socket, which stays open when they are used up", async () => {
    const key = await credited(2);
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    await chat.turn("one");
    await chat.turn("two");
    chat.send({ type: "message", id: "three", text: "three" });
    const refused = await chat.until((frame) => frame.type === "refused");
    expect(refused).toMatchObject({ id: "three", problem: { code: "budget_exceeded" } });
    expect(await left(key)).toBe(0);
    chat.send({ type: "message", id: "turn-1", text: "one" });
    expect(await chat.nth("accepted", 3)).toMatchObject({ id: "turn-1", replayed: true });
    chat.close();
  });

  it("are asked for by a verification, in its own number", async () => {
    const key = await credited(10);
    expect(await verify(acme, key.secret, { cost: 4 })).toMatchObject({
      valid: true,
      credits: { remaining: 6, refills_at: null },
    });
    expect(await verify(acme, key.secret, { cost: 7 })).toMatchObject({
      valid: false,
      code: "USAGE_EXCEEDED",
      credits: { remaining: 6 },
      retry_after_ms: null,
    });
    expect(await verify(acme, key.secret, { cost: 0 })).toMatchObject({ valid: true });
    expect(await left(key)).toBe(6);
  });
});
