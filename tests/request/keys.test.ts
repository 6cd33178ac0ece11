import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type TestTenant, newAgent, newCookie, newKey, newWorld } from "../fixtures/world.ts";

type Issued = { readonly id: string; readonly secret: string | null };

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

describe("API keys", () => {
  it("F31: show their secret once, open what their scopes say and nothing else", async () => {
    const json = { name: "reader", scopes: ["agents:read", "keys:read"] };
    const made = await acme.json<Issued>("/v1/keys", 201, { json });
    expect(made.secret).toMatch(/^berth_live_[0-9a-z]{26}_[0-9A-Za-z]{49}$/);
    const as = made.secret;
    expect((await acme.ask("/v1/agents", { as })).status).toBe(200);
    const refused = await acme.ask("/v1/agents", { as, json: { slug: "x", name: "x" } });
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: "forbidden" }]);
    const got = await acme.json<Issued>(`/v1/keys/${made.id}`, 200, { as });
    expect(got).not.toHaveProperty("secret");
    const listed = await (await acme.ask("/v1/keys")).text();
    expect(listed).toContain(made.id);
    expect(listed).not.toContain((made.secret ?? "").slice(-49));
  });

  it("made again by the same request are the same key, its secret not shown again", async () => {
    const json = { name: "once", scopes: ["agents:read"] };
    const headers = { "idempotency-key": "make-key" };
    const first = await acme.json<Issued>("/v1/keys", 201, { json, headers });
    const again = await acme.json<Issued>("/v1/keys", 201, { json, headers });
    expect(again).toEqual({ ...first, secret: null });
    const kept = await env.DB.prepare("SELECT * FROM idempotency").all();
    expect(JSON.stringify(kept.results)).toContain(first.id);
    expect(JSON.stringify(kept.results)).not.toContain(String(first.secret));
  });

  it("are accepted as bearer or x-api-key, but not as both", async () => {
    const headers = { "x-api-key": acme.key };
    expect((await acme.ask("/v1/agents", { as: null, headers })).status).toBe(200);
    expect((await acme.ask("/v1/agents", { headers })).status).toBe(400);
  });

  it("mint only a subset of themselves, scopes and narrowing alike", async () => {
    const { id } = await newAgent(acme, "support");
    await newAgent(acme, "other");
    const as = await newKey(acme, { scopes: ["keys:write", "agents:read"], agent: "support" });
    const mint = (json: object) => acme.ask("/v1/keys", { as, json: { name: "child", ...json } });
    for (const [json, pointer] of [
      [{ scopes: ["agents:write"], agent: "support" }, "/scopes/0"],
      [{ scopes: ["agents:read"] }, "/agent"],
      [{ scopes: ["agents:read"], agent: "other" }, "/agent"],
    ] as const) {
      const refused = await mint(json);
      expect([refused.status, await refused.json()]).toMatchObject([
        403,
        { errors: [{ pointer }] },
      ]);
    }
    const child = await mint({ scopes: ["agents:read"], agent: "support" });
    expect(await child.json()).toMatchObject({ agent_id: id });
    const platform = { name: "x", scopes: ["tenants:provision"] };
    expect((await acme.ask("/v1/keys", { json: platform })).status).toBe(403);
  });

  it("stop working when revoked, told so only to their holder", async () => {
    const made = await acme.json<Issued>("/v1/keys", 201, {
      json: { name: "short-lived", scopes: ["agents:read"] },
    });
    const revoked = await acme.json(`/v1/keys/${made.id}/revoke`, 200, { method: "POST" });
    expect(revoked).toMatchObject({ status: "revoked" });
    const again = await acme.json(`/v1/keys/${made.id}/revoke`, 200, { method: "POST" });
    expect(again).toEqual(revoked);
    const answer = await acme.ask("/v1/agents", { as: made.secret });
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: "key_revoked" }]);
  });

  it("F12: open no other tenant's host", async () => {
    const answer = await globex.ask("/v1/agents", { as: acme.key });
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: "invalid_token" }]);
  });
});

describe("the console's session", () => {
  it("is a cookie no script can read, from a key that goes in once", async () => {
    const signedIn = await acme.ask("/auth/session", { as: null, json: { key: acme.key } });
    expect(signedIn.status).toBe(200);
    const cookie = signedIn.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^berth=[^;]{40,}; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
    expect(cookie).not.toContain(acme.key);
    expect(await signedIn.json()).toMatchObject({ tenant: { slug: "acme" } });
  });

  it("reads with the cookie, and writes from its own origin alone", async () => {
    const cookie = await newCookie(acme);
    const json = { slug: "by-console", name: "By console" };
    const make = (origin?: string) =>
      acme.ask("/v1/agents", {
        as: null,
        json,
        headers: { cookie, ...(origin === undefined ? {} : { origin }) },
      });
    expect((await acme.ask("/v1/agents", { as: null, headers: { cookie } })).status).toBe(200);
    expect((await make()).status).toBe(403);
    expect((await make("http://evil.localhost")).status).toBe(403);
    expect((await make(acme.origin)).status).toBe(201);
  });

  it("ends at sign-out, and with its key", async () => {
    const who = (cookie: string) => acme.ask("/auth/session", { as: null, headers: { cookie } });
    const first = await newCookie(acme);
    const headers = { cookie: first, origin: acme.origin };
    const out = await acme.ask("/auth/session", { as: null, method: "DELETE", headers });
    expect([out.status, out.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await who(first)).status).toBe(401);

    const { id, secret } = await acme.json<Issued>("/v1/keys", 201, {
      json: { name: "console", scopes: ["agents:read"] },
    });
    const signedIn = await acme.ask("/auth/session", { as: null, json: { key: secret } });
    const second = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect((await who(second)).status).toBe(200);
    await acme.json(`/v1/keys/${id}/revoke`, 200, { method: "POST" });
    expect((await who(second)).status).toBe(401);
  });

  it("is not begun for another page, another tenant's key, or a made-up one", async () => {
    const signIn = (key: string, headers = {}) =>
      acme.ask("/auth/session", { as: null, json: { key }, headers });
    expect((await signIn(acme.key, { origin: "http://evil.localhost" })).status).toBe(403);
    expect((await signIn(globex.key)).status).toBe(401);
    const last = acme.key.endsWith("x") ? "y" : "x";
    expect((await signIn(`${acme.key.slice(0, -1)}${last}`)).status).toBe(401);
    expect((await signIn("nonsense")).status).toBe(422);
  });

  it("opens no other tenant's host", async () => {
    const cookie = await newCookie(acme);
    const answer = await globex.ask("/v1/agents", { as: null, headers: { cookie } });
    expect(answer.status).toBe(401);
  });
});
