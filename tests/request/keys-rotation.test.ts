/** A key is replaced by a new one; and what its sockets make of what happens to it. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { IssuedKey, Key } from "../../core/keys/contract.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { openChat } from "../fixtures/chat-client.ts";
import { mint, patch, told, usage, verify } from "../fixtures/keys.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

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

const read = async (as: string | null) => told(await acme.ask("/v1/agents", { as }));
const rotate = (id: string, json: object = {}, headers: Record<string, string> = {}) =>
  acme.ask(`/v1/keys/${id}/rotate`, { json, headers });
const rotated = async (id: string, json: object = {}) =>
  acme.json<IssuedKey>(`/v1/keys/${id}/rotate`, 201, { json });

describe("F34: a key that is rotated", () => {
  it("works until its grace ends, and its successor from the first moment", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const old = await mint(acme, { name: "ci", metadata: { team: "a" }, environment: "prod" });
    const next = await rotated(old.id, { grace_seconds: 60 });
    expect(next.secret).toMatch(/^berth_live_[0-9a-z]{26}_[0-9A-Za-z]{49}$/);
    expect(next).toMatchObject({
      name: "ci",
      metadata: { team: "a" },
      environment: "prod",
      rotated_from: old.id,
      rotated_to: null,
      expires_at: null,
    });
    expect(next.id).not.toBe(old.id);
    const shown = await acme.json<Key>(`/v1/keys/${old.id}`, 200);
    expect(shown).toMatchObject({
      rotated_to: next.id,
      expires_at: new Date(startMs + 60_000).toISOString(),
    });
    expect([await read(old.secret), await read(next.secret)]).toEqual([
      [200, ""],
      [200, ""],
    ]);
    vi.setSystemTime(startMs + 60_000);
    expect(await read(old.secret)).toEqual([401, "token_expired"]);
    expect(await read(next.secret)).toEqual([200, ""]);
  });

  it("ends at once without a grace, and never later than it would have", async () => {
    const leaked = await mint(acme);
    const next = await rotated(leaked.id, { grace_seconds: 0 });
    expect(await read(leaked.secret)).toEqual([401, "token_expired"]);
    expect(await read(next.secret)).toEqual([200, ""]);
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    const short = await mint(acme, { expires_at });
    const after = await rotated(short.id);
    expect(after.expires_at).toBe(expires_at);
    expect((await acme.json<Key>(`/v1/keys/${short.id}`, 200)).expires_at).toBe(expires_at);
    expect((await rotated(after.id, { expires_at: null })).expires_at).toBeNull();
  });

  it("has one successor, of however many that ask for one at once", async () => {
    const { id } = await mint(acme);
    const answers = await Promise.all(Array.from({ length: 6 }, () => rotate(id)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      201, 409, 409, 409, 409, 409,
    ]);
    const { results } = await env.DB.prepare(
      "SELECT (SELECT count(*) FROM key WHERE rotated_from = ?1) AS keys, (SELECT count(*) FROM audit WHERE resource_id = ?1 AND action = 'key.rotated') AS entries",
    )
      .bind(id)
      .all();
    expect(results).toEqual([{ keys: 1, entries: 1 }]);
    expect(await told(await rotate(id))).toEqual([409, "conflict"]);
    expect(await told(await patch(acme, id, { name: "late" }))).toEqual([409, "conflict"]);
  });

  it("shows the new secret once, also when the request is repeated", async () => {
    const { id } = await mint(acme);
    const headers = { "idempotency-key": `rotate-${id}` };
    const first = await (await rotate(id, {}, headers)).json<IssuedKey>();
    const again = await (await rotate(id, {}, headers)).json<IssuedKey>();
    expect(first.secret).not.toBeNull();
    expect(again).toEqual({ ...first, secret: null });
    const kept = await env.DB.prepare("SELECT * FROM idempotency").all();
    expect(JSON.stringify(kept.results)).not.toContain(String(first.secret));
  });

  it("takes its limits and credits along: rotating brings no more of them", async () => {
    const key = await mint(acme, {
      credits: { budget: 3 },
      rate_limits: [{ limit: 4, period_seconds: 3600 }],
    });
    expect((await verify(acme, key.secret)).credits).toMatchObject({ remaining: 2 });
    const next = await rotated(key.id);
    expect(await verify(acme, next.secret ?? "")).toMatchObject({
      credits: { remaining: 1 },
      rate_limits: [{ remaining: 2 }],
    });
    expect((await verify(acme, key.secret)).credits).toMatchObject({ remaining: 0 });
    expect((await verify(acme, next.secret ?? "")).code).toBe("USAGE_EXCEEDED");
    expect((await patch(acme, next.id, { credits: { budget: 9 } })).status).toBe(200);
    expect((await usage(acme, next.id)).credits).toMatchObject({ remaining: 9 });
  });

  it("goes on with its sessions and its named requests, and is one sum in the ledger", async () => {
    const old = await mint(acme, { credits: { budget: 5 } });
    const turn = (as: string, key: string) =>
      agent.ask("hello", { as, key, body: { session_id: "order-4411" } });
    const first = await turn(old.secret, "one");
    const next = await rotated(old.id);
    const secret = next.secret ?? "";
    expect((await turn(secret, "one")).id).toBe(first.id);
    expect((await turn(secret, "two")).session_id).toBe(first.session_id);
    expect((await turn(old.secret, "two")).session_id).toBe(first.session_id);
    const chat = await openChat(acme, agent.slug, { as: secret, query: { session: "order-4411" } });
    expect(chat.session).toBe(first.session_id);
    chat.close();
    await deliver("berth-ledger", [agent.owner]);
    expect((await usage(acme, next.id)).days).toMatchObject([{ invocations: 2 }]);
    const third = await rotated(next.id);
    expect((await turn(third.secret ?? "", "three")).session_id).toBe(first.session_id);
  });

  it("is not a revoked, an expired or another tenant's one", async () => {
    const { id } = await mint(acme);
    await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
    expect(await told(await rotate(id))).toEqual([409, "conflict"]);
    const expired = await mint(acme);
    await env.DB.prepare("UPDATE key SET expires_at_ms = 1 WHERE id = ?").bind(expired.id).run();
    expect(await told(await rotate(expired.id))).toEqual([409, "conflict"]);
    expect(await told(await rotate("key_00000000000000000000000000"))).toEqual([404, "not_found"]);
  });
});

describe("F37: an open socket", () => {
  const WITHDRAWN: readonly [string, (id: string) => Promise<Response>][] = [
    ["revoked", (id) => acme.ask(`/v1/keys/${id}/revoke`, { method: "POST" })],
    ["switched off", (id) => patch(acme, id, { enabled: false })],
    ["without the scope", (id) => patch(acme, id, { scopes: ["agents:read"] })],
    ["narrowed to another environment", (id) => patch(acme, id, { environment: "dev" })],
    ["rotated without a grace", (id) => rotate(id, { grace_seconds: 0 })],
  ];

  it.each(WITHDRAWN)("ends when its key is %s", async (_what, withdraw) => {
    const key = await mint(acme);
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    await chat.turn("Hello");
    expect((await withdraw(key.id)).ok).toBe(true);
    chat.send({ type: "message", text: "Am I still there?" });
    expect(await chat.closed).toMatchObject({ code: 4401 });
  });

  it("stays when its key is renamed, or rotated with a grace", async () => {
    const key = await mint(acme);
    const chat = await openChat(acme, agent.slug, { as: key.secret });
    await chat.turn("Hello");
    expect((await patch(acme, key.id, { name: "renamed" })).status).toBe(200);
    await chat.turn("Still here");
    expect((await rotate(key.id)).status).toBe(201);
    await chat.turn("And still");
    chat.close();
  });
});
