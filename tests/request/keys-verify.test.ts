/** POST /v1/keys/verify, the account of a key's use, and what both cost. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { KeyVerdict } from "../../core/keys/contract.ts";
import { makeKey, parseKey } from "../../core/keys/format.ts";
import type { TenantGateRpc } from "../../durable-objects/tenant-gate/contract.ts";
import { app } from "../../workers/app.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { mint, patch, told, usage, verify } from "../fixtures/keys.ts";
import { type TestTenant, deliver, newWorld, shapeOf } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});
afterEach(() => {
  vi.useRealTimers();
});

/** The key with another secret or id, its check sum made right again. */
function forged(key: string, change: { readonly id?: string; readonly secret?: string }): string {
  const parsed = parseKey(key);
  if (parsed === undefined) throw new Error("not a key");
  return makeKey({ id: change.id ?? parsed.keyId, secret: change.secret ?? parsed.secret });
}

describe("F25: a key that is verified", () => {
  it("is VALID with what it may, for its holder to read", async () => {
    const key = await mint(acme, { environment: "prod", metadata: { plan: "pro" } });
    expect(await verify(acme, key.secret)).toEqual({
      valid: true,
      code: "VALID",
      key_id: key.id,
      name: "test",
      owner_id: null,
      scopes: ["agents:invoke", "agents:read"],
      project_id: null,
      agent_id: null,
      environment: "prod",
      metadata: { plan: "pro" },
      expires_at: null,
      credits: null,
      rate_limits: [],
      retry_after_ms: null,
    });
  });

  it("has a reason for whatever it is not good for", async () => {
    const rules = {
      allowed_ips: ["192.0.2.0/24"],
      rate_limits: [{ limit: 3, period_seconds: 60 }],
    };
    const { id, secret } = await mint(acme, { agent: agent.id, environment: "prod", ...rules });
    const here = { address: "192.0.2.7" };
    const code = async (asked: object) => (await verify(acme, secret, { ...here, ...asked })).code;
    expect(await code({ address: "198.51.100.1" })).toBe("FORBIDDEN");
    expect((await verify(acme, secret)).code).toBe("FORBIDDEN");
    expect(await code({ scope: "agents:write" })).toBe("INSUFFICIENT_PERMISSIONS");
    expect(await code({ environment: "dev" })).toBe("FORBIDDEN");
    expect(await code({ agent: "nobody" })).toBe("FORBIDDEN");
    const all = { scope: "agents:invoke", environment: "prod", project: "default" };
    expect(await code({ ...all, agent: agent.id })).toBe("VALID");
    expect(await code({ agent: "support" })).toBe("VALID");
    expect(await code({})).toBe("VALID");
    expect(await code({})).toBe("RATE_LIMITED");
    await (await patch(acme, id, { rate_limits: null, enabled: false })).text();
    expect(await code({})).toBe("DISABLED");
    await (await patch(acme, id, { enabled: true })).text();
    await env.DB.prepare("UPDATE key SET expires_at_ms = 1 WHERE id = ?").bind(id).run();
    expect(await code({})).toBe("EXPIRED");
    await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
    expect(await code({})).toBe("REVOKED");
  });

  it("G7: of another tenant, of nobody or with a wrong secret is NOT_FOUND, byte for byte", async () => {
    const ask = (key: string) => acme.ask("/v1/keys/verify", { json: { key } });
    const theirs = await shapeOf(await ask(globex.key));
    expect(JSON.parse(theirs.body)).toMatchObject({
      valid: false,
      code: "NOT_FOUND",
      key_id: null,
    });
    for (const key of [
      forged(globex.key, { secret: "A".repeat(43) }),
      forged(acme.key, { secret: "A".repeat(43) }),
      forged(acme.key, { id: "key_00000000000000000000000000" }),
      forged(acme.key, { id: globex.keyId }),
      `${acme.key.slice(0, -1)}!`,
      "nonsense",
      "ключ",
    ]) {
      expect(await shapeOf(await ask(key))).toEqual(theirs);
    }
    expect((await ask("x".repeat(201))).status).toBe(422);
  });

  it("F31: is asked about by whoever may, of the whole tenant", async () => {
    const json = { key: acme.key };
    const without = await mint(acme, { scopes: ["keys:read", "keys:write"] });
    expect(await told(await acme.ask("/v1/keys/verify", { as: without.secret, json }))).toEqual([
      403,
      "forbidden",
    ]);
    const narrow = await mint(acme, { scopes: ["keys:verify"], environment: "dev" });
    expect(await told(await acme.ask("/v1/keys/verify", { as: narrow.secret, json }))).toEqual([
      403,
      "forbidden",
    ]);
    const verifier = await mint(acme, { scopes: ["keys:verify"] });
    const answer = await acme.ask("/v1/keys/verify", { as: verifier.secret, json });
    expect(await answer.json()).toMatchObject({ valid: true });
  });
});

/** An isolate of its own that keeps what it reads for five seconds, its reads and calls counted. */
function isolate() {
  const made = { reads: 0, spends: 0, tellings: 0 };
  const DB = new Proxy(env.DB, {
    get(database, name) {
      if (name === "prepare" || name === "batch") made.reads += 1;
      const value: unknown = Reflect.get(database, name);
      return typeof value === "function" ? value.bind(database) : value;
    },
  });
  const gateOf = (name: string): Partial<TenantGateRpc> => {
    // As in workers/api/gate.ts.
    const gate = env.TENANT_GATE.getByName(name) as unknown as TenantGateRpc;
    return {
      spend: (...asked) => ((made.spends += 1), gate.spend(...asked)),
      count: (...told) => ((made.tellings += 1), gate.count(...told)),
      chain: (tenantId) => gate.chain(tenantId),
    };
  };
  const TENANT_GATE = { getByName: gateOf } as unknown as Env["TENANT_GATE"];
  const own: Env = { ...env, CREDENTIAL_CACHE_MS: "5000", DB, TENANT_GATE };
  const contexts: ExecutionContext[] = [];
  const ask = async (path: string, as: string, json?: unknown): Promise<Response> => {
    const headers = new Headers({ host: "acme.localhost", authorization: `Bearer ${as}` });
    if (json !== undefined) headers.set("content-type", "application/json");
    const method = json === undefined ? "GET" : "POST";
    const body = json === undefined ? null : JSON.stringify(json);
    const ctx = createExecutionContext();
    contexts.push(ctx);
    return app.fetch(
      new Request(`http://acme.localhost${path}`, { method, headers, body }),
      own,
      ctx,
    );
  };
  const settled = async () => {
    for (const ctx of contexts.splice(0)) await waitOnExecutionContext(ctx);
  };
  return { made, ask, settled };
}

describe("what knowing a key costs", () => {
  it("F25: a verification of a known key reads nothing, and takes nothing", async () => {
    const { made, ask } = isolate();
    const key = await mint(acme);
    const check = async () =>
      (
        await ask("/v1/keys/verify", acme.key, { key: key.secret, agent: agent.id })
      ).json<KeyVerdict>();
    expect(await check()).toMatchObject({ code: "VALID" });
    const before = { ...made };
    for (let n = 0; n < 20; n += 1) expect(await check()).toMatchObject({ code: "VALID" });
    expect(made).toEqual(before);
  });

  it("F25: a forged key reads nothing, warm or cold, shown or presented", async () => {
    const { made, ask } = isolate();
    await (await ask("/v1/agents", acme.key)).text();
    const before = { ...made };
    const last = acme.key.endsWith("x") ? "y" : "x";
    for (const key of [`${acme.key.slice(0, -1)}${last}`, `${acme.key}x`, "berth_live_x"]) {
      expect(await (await ask("/v1/keys/verify", acme.key, { key })).json()).toMatchObject({
        code: "NOT_FOUND",
      });
      expect((await ask("/v1/agents", key)).status).toBe(401);
    }
    expect(made).toEqual(before);
  });

  it("F36: a limited key asks the gate once for each request, any other never", async () => {
    const { made, ask } = isolate();
    const plain = await mint(acme);
    const limited = await mint(acme, { rate_limits: [{ limit: 50, period_seconds: 60 }] });
    const gates = async (as: string) => {
      const before = made.spends;
      const answer = await ask("/a/support/invoke", as, { input: "hello" });
      expect(answer.status).toBe(200);
      await answer.text();
      return made.spends - before;
    };
    expect([await gates(plain.secret), await gates(plain.secret)]).toEqual([0, 0]);
    expect([await gates(limited.secret), await gates(limited.secret)]).toEqual([1, 1]);
  });

  it("F36: limits hold across isolates that know nothing of each other", async () => {
    const { secret } = await mint(acme, { rate_limits: [{ limit: 6, period_seconds: 3600 }] });
    const isolates = [isolate(), isolate(), isolate()];
    const answers = await Promise.all(
      isolates.flatMap(({ ask }) => Array.from({ length: 6 }, () => ask("/v1/agents", secret))),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(6);
    for (const answer of answers) await answer.text();
  });

  it("G10: what is narrowed elsewhere is believed for at most five seconds", async () => {
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    const { ask } = isolate();
    const key = await mint(acme);
    const read = () => ask("/v1/agents", key.secret);
    expect((await read()).status).toBe(200);
    await (await patch(acme, key.id, { enabled: false })).text();
    vi.setSystemTime(startMs + 4999);
    expect((await read()).status).toBe(200);
    vi.setSystemTime(startMs + 5000);
    expect(await told(await read())).toEqual([401, "key_disabled"]);
    await (await patch(acme, key.id, { enabled: true, scopes: ["agents:invoke"] })).text();
    vi.setSystemTime(startMs + 10_000);
    expect(await told(await read())).toEqual([403, "forbidden"]);
  });
});

describe("F35: the use of a key", () => {
  it("is counted by day and outcome, with what its invocations cost", async () => {
    const key = await mint(acme, { rate_limits: [{ limit: 4, period_seconds: 3600 }] });
    const done = await agent.ask("hello", { as: key.secret });
    await (await acme.ask("/v1/agents", { as: key.secret })).text();
    await (await acme.ask("/v1/keys", { as: key.secret })).text();
    await verify(acme, key.secret);
    await verify(acme, key.secret, { scope: "keys:write" });
    await verify(acme, key.secret);
    await (await acme.ask("/v1/agents", { as: key.secret })).text();
    await deliver("berth-ledger", [agent.owner]);
    const today = new Date().toISOString().slice(0, 10);
    expect(await usage(acme, key.id)).toMatchObject({
      key_id: key.id,
      last_used_at: expect.stringContaining(today),
      credits: null,
      days: [
        {
          date: today,
          requests: 7,
          outcomes: { VALID: 4, INSUFFICIENT_PERMISSIONS: 2, RATE_LIMITED: 1 },
          invocations: 1,
          input_tokens: done.usage.input_tokens,
          cost_micros: done.cost_micros,
        },
      ],
    });
  });

  it("is told by each isolate in one batch, some seconds late, and adds up", async () => {
    const key = await mint(acme);
    const isolates = [isolate(), isolate()];
    for (const { ask } of isolates) {
      for (let n = 0; n < 10; n += 1) await (await ask("/v1/agents", key.secret)).text();
    }
    for (const { settled, made } of isolates) {
      await settled();
      expect(made.tellings).toBe(1);
    }
    expect(await usage(acme, key.id)).toMatchObject({ days: [{ outcomes: { VALID: 20 } }] });
  });

  it("is empty for a key nobody used, and missing for one that is not there", async () => {
    const key = await mint(acme);
    expect(await usage(acme, key.id)).toEqual({
      key_id: key.id,
      last_used_at: null,
      credits: null,
      days: [],
    });
    expect((await globex.ask(`/v1/keys/${key.id}/usage`)).status).toBe(404);
    expect((await acme.ask(`/v1/keys/${key.id}/usage?days=0`)).status).toBe(422);
  });
});
