/** What a key may be held to, level by level, and how it is changed. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { tenantScope } from "../../core/db/scope.ts";
import type { Key } from "../../core/keys/contract.ts";
import { createProject } from "../../core/projects/store.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { mint, patch, told, verify } from "../fixtures/keys.ts";
import { type TestTenant, deploy, newAgent, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  const scope = tenantScope(servicesOf(env).platform, acme.id);
  await createProject(scope, { slug: "sales", name: "Sales", description: "" }, Date.now());
  for (const [slug, project] of [
    ["support", "default"],
    ["seller", "sales"],
    ["other", "sales"],
  ] as const) {
    const json = { slug, name: slug, project, spec: { kind: "llm", instructions: "In Bremen." } };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    await acme.json(`/v1/agents/${id}/publish`, 201, { method: "POST" });
    await deploy(acme, id);
    await deploy(acme, id, { environment: "dev" });
  }
});

const invoke = (agent: string, as: string, { environment = "prod", headers = {} } = {}) =>
  acme.ask(`/a/${agent}/invoke?environment=${environment}`, {
    as,
    json: { input: "Where?" },
    headers,
  });

describe("F32: the tree a key is narrowed in", () => {
  const opens = async (narrowing: object) => {
    const { secret } = await mint(acme, narrowing);
    const open: string[] = [];
    for (const agent of ["support", "seller", "other"]) {
      for (const environment of ["prod", "dev"]) {
        const answer = await invoke(agent, secret, { environment });
        await answer.text();
        if (answer.status === 200) open.push(`${agent} ${environment}`);
        else expect(answer.status).toBe(404);
      }
    }
    return open;
  };

  it("the tenant: every agent, everywhere", async () => {
    expect(await opens({})).toHaveLength(6);
  });

  it("a project: its agents alone, by id or slug", async () => {
    const sales = ["seller prod", "seller dev", "other prod", "other dev"];
    expect(await opens({ project: "sales" })).toEqual(sales);
    expect(await opens({ project: "default" })).toEqual(["support prod", "support dev"]);
  });

  it("an environment: every agent there", async () => {
    expect(await opens({ environment: "dev" })).toEqual(["support dev", "seller dev", "other dev"]);
  });

  it("F38: an agent: nothing but it", async () => {
    expect(await opens({ agent: "seller" })).toEqual(["seller prod", "seller dev"]);
  });

  it("all of them at once, and none that contradict each other", async () => {
    const all = { project: "sales", agent: "seller", environment: "dev" };
    expect(await opens(all)).toEqual(["seller dev"]);
    expect(await opens({ ...all, project: "default" })).toEqual([]);
  });

  it("is of this tenant's own things", async () => {
    const theirs = await newAgent(globex, "theirs");
    for (const json of [
      { agent: theirs.id },
      { agent: "none" },
      { project: "none" },
      { environment: "moon" },
    ]) {
      const body = { name: "x", scopes: ["agents:read"], ...json };
      const answer = await acme.ask("/v1/keys", { json: body });
      const [pointer] = Object.keys(json);
      expect([answer.status, await answer.json()]).toMatchObject([
        422,
        { errors: [{ pointer: `/${pointer}` }] },
      ]);
    }
  });

  it("F25: and no narrowed key mints beyond its part", async () => {
    const scopes = ["keys:write", "agents:read"];
    const { secret: as } = await mint(acme, { scopes, project: "sales" });
    const child = (json: object) =>
      acme.ask("/v1/keys", { as, json: { name: "child", scopes: ["agents:read"], ...json } });
    expect(await told(await child({}))).toEqual([403, "forbidden"]);
    expect(await told(await child({ project: "default" }))).toEqual([403, "forbidden"]);
    expect(await told(await child({ project: "sales", agent: "seller" }))).toEqual([201, ""]);
  });
});

describe("F25: rules of a key", () => {
  const from = (as: string, headers: Record<string, string>) =>
    acme.ask("/v1/agents", { as, headers });

  it("hold it to addresses, and one that is not known is none of them", async () => {
    const { secret } = await mint(acme, { allowed_ips: ["192.0.2.0/24", "2001:DB8::/32"] });
    for (const address of ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::7"]) {
      expect((await from(secret, { "cf-connecting-ip": address })).status).toBe(200);
    }
    for (const headers of [
      {},
      { "cf-connecting-ip": "192.0.3.1" },
      { "cf-connecting-ip": "192.0.2.1, 198.51.100.1" },
      { "x-forwarded-for": "192.0.2.1" },
      { "x-real-ip": "192.0.2.1" },
      { forwarded: "for=192.0.2.1" },
    ]) {
      expect(await told(await from(secret, headers))).toEqual([403, "address_refused"]);
    }
  });

  it("hold it to origins, compared as they stand", async () => {
    const { secret } = await mint(acme, { allowed_origins: ["https://app.example.com"] });
    expect((await from(secret, { origin: "https://app.example.com" })).status).toBe(200);
    for (const headers of [
      {},
      { origin: "null" },
      { origin: "http://app.example.com" },
      { origin: "https://app.example.com:8443" },
      { origin: "https://app.example.com.evil.example" },
      { origin: "https://APP.example.com" },
      { referer: "https://app.example.com/" },
    ]) {
      expect(await told(await from(secret, headers))).toEqual([403, "origin_refused"]);
    }
  });

  it("hold its console session and its tokens as well", async () => {
    const { secret } = await mint(acme, { allowed_ips: ["192.0.2.1"] });
    const inside = { "cf-connecting-ip": "192.0.2.1" };
    const signIn = (headers: Record<string, string>) =>
      acme.ask("/auth/session", { as: null, json: { key: secret }, headers });
    expect(await told(await signIn({}))).toEqual([403, "address_refused"]);
    const signedIn = await signIn(inside);
    expect(signedIn.status).toBe(200);
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const read = (headers: Record<string, string>) =>
      acme.ask("/v1/agents", { as: null, headers: { cookie, ...headers } });
    expect((await read(inside)).status).toBe(200);
    expect(await told(await read({}))).toEqual([403, "address_refused"]);
  });

  it.each([
    { allowed_ips: [] },
    { allowed_ips: ["192.0.2.7/24"] },
    { allowed_ips: ["example.com"] },
    { allowed_ips: ["192.0.2.0/24", "::ffff:192.0.2.0/120"] },
    { allowed_origins: ["https://app.example.com/"] },
    { allowed_origins: ["app.example.com"] },
    { allowed_origins: ["*"] },
    { allowed_origins: ["https://app.example.com:443"] },
    { rate_limits: [{ limit: 0, period_seconds: 60 }] },
    {
      rate_limits: [
        { limit: 1, period_seconds: 60 },
        { limit: 2, period_seconds: 60 },
      ],
    },
    { rate_limits: [{ limit: 1.5, period_seconds: 60 }] },
    { credits: { budget: -1 } },
    { credits: { budget: 1, refill: { amount: 1, interval_seconds: 1 } } },
    { metadata: { a: 1 } },
    { expires_at: "2020-01-01T00:00:00Z" },
    { scopes: [] },
    { owner: "usr_1" },
    { name: "a\nb" },
  ])("are refused where they say nothing sensible: %j", async (json) => {
    const body = { name: "x", scopes: ["agents:read"], ...json };
    expect((await acme.ask("/v1/keys", { json: body })).status).toBe(422);
  });

  it("are never wider in a key that another one mints", async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const scopes = ["keys:write", "agents:read"];
    const rules = { expires_at, allowed_origins: ["https://a.example", "https://b.example"] };
    const { secret: as } = await mint(acme, { scopes, ...rules });
    const headers = { origin: "https://a.example" };
    const child = async (json: object) => {
      const body = { name: "child", scopes: ["agents:read"], ...json };
      const answer = await acme.ask("/v1/keys", { as, json: body, headers });
      const { errors = [] } = await answer.json<{ errors?: { pointer: string }[] }>();
      return [answer.status, ...errors.map(({ pointer }) => pointer)];
    };
    expect(await child({})).toEqual([403, "/expires_at", "/allowed_origins"]);
    expect(await child({ ...rules, allowed_origins: ["https://c.example"] })).toEqual([
      403,
      "/allowed_origins",
    ]);
    expect(await child({ ...rules, allowed_origins: ["https://b.example"] })).toEqual([201]);
    const limited = await mint(acme, { scopes, rate_limits: [{ limit: 9, period_seconds: 60 }] });
    const body = { name: "free", scopes: ["agents:read"] };
    const free = await acme.ask("/v1/keys", { as: limited.secret, json: body });
    expect(await told(free)).toEqual([403, "forbidden"]);
  });
});

describe("F25: a key that is changed", () => {
  it("is so at once, for what it may and for what it is called", async () => {
    const { id, secret } = await mint(acme, { metadata: { team: "a" } });
    const changed = await patch(acme, id, {
      name: "renamed",
      scopes: ["agents:read"],
      project: "sales",
      metadata: { team: "b" },
    });
    expect([changed.status, changed.headers.get("etag"), await changed.json()]).toMatchObject([
      200,
      '"2"',
      { name: "renamed", scopes: ["agents:read"], metadata: { team: "b" }, revision: 2 },
    ]);
    expect((await invoke("support", secret)).status).toBe(403);
    const wider = await patch(acme, id, { scopes: ["agents:invoke"], project: null });
    expect(await wider.json()).toMatchObject({ project_id: null, revision: 3 });
    expect((await invoke("support", secret)).status).toBe(200);
  });

  it("is switched off and on again", async () => {
    const { id, secret } = await mint(acme);
    expect(await (await patch(acme, id, { enabled: false })).json()).toMatchObject({
      enabled: false,
      status: "disabled",
    });
    expect(await told(await invoke("support", secret))).toEqual([401, "key_disabled"]);
    expect((await verify(acme, secret)).code).toBe("DISABLED");
    expect((await patch(acme, id, { enabled: true })).status).toBe(200);
    expect((await invoke("support", secret)).status).toBe(200);
  });

  it("is changed once by racing editors, and by a stale one never", async () => {
    const { id } = await mint(acme);
    const edit = (name: string) =>
      acme.ask(`/v1/keys/${id}`, {
        method: "PATCH",
        json: { name },
        headers: { "if-match": '"1"' },
      });
    const answers = await Promise.all(["a", "b", "c", "d"].map(edit));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 412, 412, 412,
    ]);
    const entries = await env.DB.prepare(
      "SELECT action FROM audit WHERE resource_id = ? ORDER BY action",
    )
      .bind(id)
      .all();
    expect(entries.results).toEqual([{ action: "key.changed" }, { action: "key.created" }]);
  });

  it("is not made a stronger one by somebody weaker", async () => {
    const strong = await mint(acme, { scopes: ["agents:write", "agents:read"] });
    const weak = await mint(acme, { scopes: ["keys:write", "keys:read", "agents:read"] });
    const send = (path: string, method: string, json: object) =>
      acme.ask(`/v1/keys/${path}`, {
        as: weak.secret,
        method,
        json,
        headers: { "if-match": '"1"' },
      });
    for (const json of [
      { scopes: ["agents:write"] },
      { allowed_ips: null },
      { expires_at: null },
      { credits: { budget: 5 } },
      { enabled: true },
    ]) {
      expect(await told(await send(strong.id, "PATCH", json))).toEqual([403, "forbidden"]);
      expect(await told(await send(weak.id, "PATCH", { scopes: ["agents:write"] }))).toEqual([
        403,
        "forbidden",
      ]);
    }
    expect(await told(await send(`${strong.id}/rotate`, "POST", {}))).toEqual([403, "forbidden"]);
    expect(await told(await send(strong.id, "PATCH", { enabled: false }))).toEqual([200, ""]);
  });

  it("is listed by what it is", async () => {
    const { id } = await mint(acme, { name: "Findable_100%", environment: "staging" });
    const ids = async (query: string) =>
      (await acme.json<{ data: Key[] }>(`/v1/keys?limit=100&${query}`, 200)).data.map(
        (key) => key.id,
      );
    expect(await ids("environment=staging")).toEqual([id]);
    expect(await ids("name=able_100%25")).toEqual([id]);
    expect(await ids("name=able%25100")).toEqual([]);
    expect(await ids("environment=staging&status=disabled")).toEqual([]);
    await (await patch(acme, id, { enabled: false })).text();
    expect(await ids("environment=staging&status=disabled")).toEqual([id]);
    await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
    expect(await ids("environment=staging&status=revoked")).toEqual([id]);
    expect(await told(await patch(acme, id, { name: "late" }))).toEqual([409, "conflict"]);
  });
});
