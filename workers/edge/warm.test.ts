/**
 * What a request costs once its tenant, key and agent are known, counted and not timed; and how
 * soon what was withdrawn is no longer believed.
 */
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { parseKey } from "../../core/keys/format.ts";
import { assign, newRole } from "../../tests/fixtures/access.ts";
import { newClient, tokenOf } from "../../tests/fixtures/oauth.ts";
import {
  deploy,
  newAgent,
  newKey,
  newToken,
  newWorld,
  type World,
} from "../../tests/fixtures/world.ts";
import { app } from "../app.ts";

let world: World;
/** Statements sent to D1 by the Worker under `warm`. */
let queries: number;
let warm: Env;
/** What a change names in `If-Match`. */
let revision: number;

// The files that come after this one share its isolate, and its clock.
afterEach(() => {
  vi.useRealTimers();
});

beforeEach(async () => {
  world = await newWorld();
  const agent = await newAgent(world.acme, "support");
  await deploy(world.acme, agent.id);
  queries = 0;
  revision = 1;
  // An isolate of its own, as far as the edge can tell: it keeps what it read for five seconds.
  warm = { ...env, CREDENTIAL_CACHE_MS: "5000", DB: counted(env.DB) };
});

function counted(db: D1Database): D1Database {
  return new Proxy(db, {
    get(target, name) {
      if (name === "prepare" || name === "batch") queries += 1;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function ask(
  path: string,
  as: string,
  json?: unknown,
  method = json === undefined ? "GET" : "POST",
): Promise<Response> {
  const headers = new Headers({ host: "acme.localhost", authorization: `Bearer ${as}` });
  if (json !== undefined) headers.set("content-type", "application/json");
  if (method !== "GET" && method !== "POST") headers.set("if-match", `"${revision}"`);
  const init = { method, ...(json === undefined ? {} : { body: JSON.stringify(json) }) };
  const request = new Request(`http://acme.localhost${path}`, { ...init, headers });
  return app.fetch(request, warm, createExecutionContext());
}

it("an invocation by a known key asks the control plane nothing", async () => {
  const json = { input: "Where is the office?" };
  const first = await ask("/a/support/invoke", world.acme.key, json);
  expect(first.status).toBe(200);
  await first.text();
  expect(queries).toBe(3); // tenant, key, live agent
  for (let i = 0; i < 5; i += 1) {
    const again = await ask("/a/support/invoke", world.acme.key, json);
    expect(again.status).toBe(200);
    await again.text();
  }
  expect(queries).toBe(3);
});

it("F44: statements are weighed without a read, and a change made here counts at once", async () => {
  const { acme } = world;
  const client = await newClient(acme, ["agents:read"]);
  const when = { environments: ["prod"], arguments: [{ pointer: "/metadata/sum", max: 5 }] };
  const role = await newRole(acme, [{ effect: "allow", scopes: ["agents:invoke"], when }]);
  const assignment = await assign(acme, client.id, role);
  const as = await tokenOf(acme, client);
  const spend = async (sum: string) => {
    const json = { input: "Where is the office?", metadata: { sum } };
    const answer = await ask("/a/support/invoke", as, json);
    await answer.text();
    return answer.status;
  };
  expect(await spend("1")).toBe(200);
  const known = queries;
  expect([await spend("5"), await spend("2")]).toEqual([200, 200]);
  expect(queries).toBe(known);
  expect(await spend("6")).toBe(403); // which the trail is told of
  const gone = await ask(`/v1/assignments/${assignment}`, acme.key, undefined, "DELETE");
  expect(gone.status).toBe(204);
  expect(await spend("1")).toBe(403);
});

it("twenty strangers at once cost one look-up each for tenant and key", async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, () => ask("/v1/users/me", world.acme.key)),
  );
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
  for (const answer of all) await answer.text();
  expect(queries).toBe(2);
});

it("a malformed key and a host that is nobody's cost no look-up at all", async () => {
  await (await ask("/v1/users/me", world.acme.key)).text();
  queries = 0;
  for (const as of ["berth_live_x", `${world.acme.key}x`, "nonsense", "a.b.c"]) {
    expect((await ask("/v1/users/me", as)).status).toBe(401);
  }
  expect(queries).toBe(0);
});

const invoked = async (slug: string) => {
  const answer = await ask(`/a/${slug}/invoke`, world.acme.key, { input: "Where is the office?" });
  await answer.text();
  return answer.status;
};

it.each([
  ["renamed", "PATCH", { slug: "other" }],
  ["deleted", "DELETE", undefined],
])("an agent that was %s here has lost its address at once", async (_what, method, json) => {
  expect(await invoked("support")).toBe(200);
  const changed = await ask("/v1/agents/support", world.acme.key, json, method);
  expect(changed.ok).toBe(true);
  await changed.text();
  expect(await invoked("support")).toBe(404);
});

it("what changed of a provider here is looked up by the next invocation", async () => {
  const base_url = `http://127.0.0.1:${env.TEST_MODEL_PORT}/v1`;
  const provider = { slug: "own", kind: "openai", base_url };
  let path = "/v1/providers";
  for (const [method, json] of [
    ["POST", provider],
    ["PATCH", { api_key: "sk-other" }],
    ["DELETE", undefined],
  ] as const) {
    expect(await invoked("support")).toBe(200);
    const changed = await ask(path, world.acme.key, json, method);
    expect([method, changed.ok]).toEqual([method, true]);
    await changed.text();
    revision = method === "PATCH" ? 2 : 1;
    path = changed.headers.get("location") ?? path;
    queries = 0;
    expect(await invoked("support")).toBe(200);
    expect([method, queries]).toEqual([method, 1]);
  }
});

it("G10: a key revoked elsewhere is believed for at most five seconds", async () => {
  const key = await newKey(world.acme);
  const startMs = Date.now();
  vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
  expect((await ask("/v1/users/me", key)).status).toBe(200);
  // In another isolate: nothing tells this one.
  const id = parseKey(key)?.keyId;
  await env.DB.prepare("UPDATE key SET revoked_at_ms = ? WHERE id = ?").bind(startMs, id).run();
  vi.setSystemTime(startMs + 4999);
  expect((await ask("/v1/users/me", key)).status).toBe(200);
  vi.setSystemTime(startMs + 5000);
  const answer = await ask("/v1/users/me", key);
  expect(await answer.json()).toMatchObject({ code: "key_revoked" });
});

it("G10: the same goes for a token minted for it, and for a suspended tenant", async () => {
  const startMs = Date.now();
  vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
  const token = await newToken(world.acme);
  expect((await ask("/v1/users/me", token)).status).toBe(200);
  await env.DB.prepare("UPDATE key SET revoked_at_ms = ?").bind(startMs).run();
  vi.setSystemTime(startMs + 5000);
  expect(await (await ask("/v1/users/me", token)).json()).toMatchObject({ code: "key_revoked" });
  // Only its own people are told that a tenant is suspended, and not where it says what it is.
  await env.DB.prepare("UPDATE key SET revoked_at_ms = NULL").run();
  await env.DB.prepare("UPDATE tenant SET status = 'suspended'").run();
  vi.setSystemTime(startMs + 10_000);
  expect(await (await ask("/v1/agents", token)).json()).toMatchObject({ code: "suspended" });
});
