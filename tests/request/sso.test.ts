import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  askedOfProviders,
  Browser,
  callbackOf,
  CLIENT_SECRET,
  connect,
  faultOf,
  knowPeople,
  OIDC,
  signedInAs,
  signIn,
} from "../fixtures/oidc.ts";
import { type TestTenant, newKey, newWorld, shapeOf } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeEach(async () => {
  ({ acme, globex } = await newWorld());
  await knowPeople({
    ada: { email: "Ada@corp.example", email_verified: true, name: "Ada", groups: ["staff"] },
    bob: { email: "bob@corp.example", email_verified: false, name: "Bob", groups: ["ops"] },
    admin: { email: "admin@acme.example", email_verified: true, name: "Root", groups: [] },
    imposter: { email: "admin@acme.example", email_verified: false, name: "Root" },
    ghost: { name: "Ghost" },
  });
});
afterEach(async () => {
  await faultOf(null);
});

const error = (reason: string) => `/?sign_in_error=${reason}`;
const patch = (id: string, revision: number, json: object) =>
  acme.json(`/v1/sso/${id}`, 200, {
    method: "PATCH",
    headers: { "if-match": `"${revision}"` },
    json,
  });
const usersNow = async () =>
  (
    await env.DB.prepare("SELECT email, name FROM user WHERE tenant_id = ? ORDER BY id")
      .bind(acme.id)
      .all()
  ).results;

describe("F30: single sign-on", () => {
  it("signs somebody in whom the provider vouches for, and makes them a member", async () => {
    await connect(acme);
    const { at, browser } = await signIn(acme, "ada", { returnTo: "/console/agents?x=1#y" });
    expect(at).toBe("/console/agents?x=1#y");
    const me = await signedInAs(acme, browser);
    expect(me?.id).toMatch(/^usr_/);
    expect(me?.scopes).toContain("agents:read");
    expect(me?.scopes).not.toContain("agents:write");
    expect(await usersNow()).toContainEqual({ email: "ada@corp.example", name: "Ada" });
    const again = await signIn(acme, "ada");
    expect(again.at).toBe("/");
    expect((await signedInAs(acme, again.browser))?.id).toBe(me?.id);
  });

  it("with either way of authenticating, and where userinfo alone names the mailbox", async () => {
    const post = { slug: "post", client_id: "berth-post", auth_method: "client_secret_post" };
    await connect(acme, { ...post, issuer: `${OIDC}/b` });
    await askedOfProviders();
    const { browser } = await signIn(acme, "ada", { slug: "post" });
    expect((await signedInAs(acme, browser))?.id).toMatch(/^usr_/);
    expect(await askedOfProviders()).toContain("POST /b/token -");
    await connect(acme);
    const basic = await signIn(acme, "ada");
    expect((await signedInAs(acme, basic.browser))?.id).toMatch(/^usr_/);
    const asked = await askedOfProviders();
    expect(asked).toContain("POST /a/token Basic");
    expect(asked).toContain("GET /a/me Bearer");
  });

  it("is offered by name to whoever opens the page, and no more of it is told", async () => {
    await connect(acme);
    const { id } = await connect(acme, { slug: "other", name: "Other" });
    const listed = () => acme.json("/auth/connections", 200, { as: null });
    const corp = { slug: "corp", name: "Corp" };
    expect(await listed()).toEqual({ data: [corp, { slug: "other", name: "Other" }] });
    await patch(id, 1, { enabled: false });
    expect(await listed()).toEqual({ data: [corp] });
    expect((await acme.ask("/auth/oidc/other/start", { as: null })).status).toBe(404);
    expect(await globex.json("/auth/connections", 200, { as: null })).toEqual({ data: [] });
  });

  it("links a member by a mailbox the provider vouches for, and never by another", async () => {
    await connect(acme, { create_members: false });
    expect((await signIn(acme, "imposter")).at).toBe(error("email_unverified"));
    const { browser } = await signIn(acme, "admin");
    expect((await signedInAs(acme, browser))?.id).toBe(acme.adminId);
    // From now on by what the provider calls them, whatever the mailbox is.
    await knowPeople({ admin: { email: "new@elsewhere.example", email_verified: false } });
    expect((await signedInAs(acme, (await signIn(acme, "admin")).browser))?.id).toBe(acme.adminId);
  });

  it("ends what was done with an account before its mailbox was proven", async () => {
    await env.DB.prepare("UPDATE user SET password_hash = 'prepared' WHERE id = ?")
      .bind(acme.adminId)
      .run();
    await connect(acme);
    await signIn(acme, "admin");
    const row = env.DB.prepare("SELECT password_hash, verified_at_ms FROM user WHERE id = ?");
    expect(await row.bind(acme.adminId).first()).toMatchObject({ password_hash: null });
  });

  it.each([
    ["whose mailbox is not verified", "bob", {}, "email_unverified"],
    ["who has no mailbox", "ghost", {}, "email_unverified"],
    ["who is no member, where none may join", "ada", { create_members: false }, "not_member"],
    ["of another domain", "ada", { email_domains: ["acme.example"] }, "not_member"],
    ["who gets no role", "ada", { default_role: null }, "no_role"],
    ["who says no", "nobody", {}, "refused"],
  ])("lets nobody in %s", async (_who, who, more, reason) => {
    await connect(acme, more);
    const before = await usersNow();
    const { at, browser } = await signIn(acme, who);
    expect(at).toBe(error(reason));
    expect(await signedInAs(acme, browser)).toBeUndefined();
    expect(await usersNow()).toEqual(before);
  });

  it("gives the role the claims bring, at each sign-in", async () => {
    const mappings = [
      { claim: "groups", values: ["staff", "root"], role: "developer" },
      { claim: "groups", values: ["ops"], role: "operator" },
    ];
    await connect(acme, { mappings, default_role: null });
    const groups = async (...list: string[]) => {
      const ada = { email: "ada@corp.example", email_verified: true, groups: list };
      await knowPeople({ ada });
      const { at, browser } = await signIn(acme, "ada");
      return (await signedInAs(acme, browser))?.scopes ?? at;
    };
    expect(await groups("staff", "ops")).toContain("agents:write");
    const operator = await groups("ops");
    expect(operator).toContain("providers:write");
    expect(operator).not.toContain("agents:write");
    expect(await groups("none")).toBe(error("no_role"));
  });

  it("leaves the last administrator what they are, whatever the claims have become", async () => {
    const mappings = [{ claim: "email", values: ["admin@acme.example"], role: "viewer" }];
    await connect(acme, { mappings });
    const { browser } = await signIn(acme, "admin");
    expect((await signedInAs(acme, browser))?.scopes).toContain("members:write");
  });

  it("is in the trail: who joined, who came, and who was not let in", async () => {
    const { id } = await connect(acme);
    await signIn(acme, "ada");
    await signIn(acme, "bob");
    const { results } = await env.DB.prepare("SELECT * FROM audit ORDER BY id").all();
    const facts = results.map(({ action, result }) => [action, result].join(" "));
    expect(facts).toEqual(expect.arrayContaining(["sso.created done", "user.joined done"]));
    const refused = results.find(({ result }) => result === "refused");
    expect(refused).toMatchObject({ resource_id: id, detail: '{"reason":"email_unverified"}' });
    expect(JSON.stringify(results)).not.toContain("corp.example");
  });
});

describe("F30: the way back", () => {
  it("is gone once, by the browser that left, at the host and connection it left from", async () => {
    await connect(acme);
    await connect(acme, { slug: "other" });
    await connect(globex);
    const browser = new Browser("ada");
    const back = await callbackOf(acme, browser);
    const lands = async (by: Browser, url: string) => (await by.get(url)).headers.get("location");
    const expired = acme.origin + error("expired");
    // Another browser, with and without a way of its own.
    expect(await lands(new Browser("ada"), back)).toBe(expired);
    const other = new Browser("bob");
    await callbackOf(acme, other);
    expect(await lands(other, back)).toBe(expired);
    // Another connection, another tenant.
    expect(await lands(browser, back.replace("/corp/", "/other/"))).toBe(expired);
    const theirs = back.replace(acme.origin, globex.origin);
    expect(await lands(browser, theirs)).toBe(globex.origin + error("expired"));
    // None of these used it up.
    expect(await lands(browser, back)).toBe(`${acme.origin}/`);
    expect(await lands(browser, back)).toBe(expired);
  });

  it("ends after ten minutes", async () => {
    await connect(acme);
    const browser = new Browser("ada");
    const back = await callbackOf(acme, browser);
    await env.DB.prepare("UPDATE sso_sign_in SET expires_at_ms = ?").bind(Date.now()).run();
    expect((await browser.get(back)).headers.get("location")).toContain("sign_in_error=expired");
  });

  it("is not gone with another issuer's answer, a parameter twice, or no code", async () => {
    await connect(acme);
    for (const [change, reason] of [
      [(url: URL) => url.searchParams.set("iss", `${OIDC}/b`), "invalid"],
      [(url: URL) => url.searchParams.delete("iss"), "invalid"],
      [(url: URL) => url.searchParams.delete("code"), "invalid"],
      [(url: URL) => url.searchParams.append("state", "x"), "expired"],
      [(url: URL) => url.searchParams.set("state", "x"), "expired"],
      [(url: URL) => url.searchParams.set("code", "guessed"), "invalid"],
      [(url: URL) => url.searchParams.set("error", "server_error"), "refused"],
    ] as const) {
      const browser = new Browser("ada");
      const url = new URL(await callbackOf(acme, browser));
      change(url);
      const landed = (await browser.get(url.href)).headers.get("location");
      expect([reason, landed]).toEqual([reason, acme.origin + error(reason)]);
      expect(await signedInAs(acme, browser)).toBeUndefined();
    }
  });

  it("a code of one provider's is none at another, however it is brought there", async () => {
    await connect(acme);
    await connect(acme, { slug: "other", issuer: `${OIDC}/b` });
    const browser = new Browser("ada");
    const one = new URL(await callbackOf(acme, browser));
    const two = new URL(await callbackOf(acme, browser, "other"));
    two.searchParams.set("code", one.searchParams.get("code") ?? "");
    const landed = (await browser.get(two.href)).headers.get("location");
    expect(landed).toBe(acme.origin + error("invalid"));
  });

  it("leads to this host alone, wherever return_to points", async () => {
    await connect(acme);
    const browser = new Browser("ada");
    for (const returnTo of [
      "https://evil.example/",
      "//evil.example",
      "/\\evil.example",
      "/\t/evil.example",
      "\\\\evil.example",
      "javascript:alert(1)",
      "/.//evil.example",
      "@evil.example",
      ".evil.example",
    ]) {
      const start = `/auth/oidc/corp/start?return_to=${encodeURIComponent(returnTo)}`;
      const back = await browser.follow(acme.origin + start, (url) => url.includes("/callback?"));
      const location = (await browser.get(back)).headers.get("location") ?? "";
      expect([returnTo, location.startsWith(`${acme.origin}/`)]).toEqual([returnTo, true]);
      expect([returnTo, new URL(location, back).origin]).toEqual([returnTo, acme.origin]);
    }
  });

  it("the provider's own redirect is the registered one, whatever host is asked", async () => {
    const { redirect_uri } = await connect(acme);
    const answer = await acme.ask("/auth/oidc/corp/start?redirect_uri=https://evil.example", {
      as: null,
    });
    expect(answer.status).toBe(422);
    const start = await acme.ask("/auth/oidc/corp/start", {
      as: null,
      headers: { "x-forwarded-host": "evil.example" },
    });
    const url = new URL(start.headers.get("location") ?? "");
    expect(url.searchParams.get("redirect_uri")).toBe(redirect_uri);
    expect(url.searchParams.get("code_challenge_method")).toBe("S256");
    const cookie = start.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(
      /^berth-sso=[0-9A-Za-z]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/,
    );
    // What is stored opens nothing: neither the state nor the cookie stands there.
    const rows = JSON.stringify((await env.DB.prepare("SELECT * FROM sso_sign_in").all()).results);
    expect(rows).not.toContain(url.searchParams.get("state"));
    expect(rows).not.toContain(cookie.slice(10, 53));
  });
});

describe("F30: a provider that misbehaves lets nobody in", () => {
  it.each([
    ["wrong-nonce", "invalid"],
    ["wrong-signature", "invalid"],
    ["wrong-audience", "invalid"],
    ["token-garbage", "invalid"],
    ["down", "unreachable"],
    ["other-issuer", "invalid"],
  ])("%s on the way back", async (fault, reason) => {
    await connect(acme);
    const browser = new Browser("ada");
    const back = await callbackOf(acme, browser);
    await faultOf(fault);
    const landed = (await browser.get(back)).headers.get("location");
    expect(landed).toBe(acme.origin + error(reason));
    expect(await signedInAs(acme, browser)).toBeUndefined();
  });

  it.each([
    ["down", "unreachable"],
    ["huge", "invalid"],
    ["other-issuer", "invalid"],
  ])("%s at the start", async (fault, reason) => {
    await connect(acme);
    await faultOf(fault);
    expect((await signIn(acme, "ada")).at).toBe(error(reason));
  });

  it("F194: one at an inside address is not asked at all", async () => {
    const json = { slug: "x", name: "x", client_id: "x", client_secret: "x" };
    for (const issuer of [
      "http://127.0.0.1:1/a",
      "https://169.254.169.254",
      "https://id.localhost",
    ]) {
      const answer = await acme.ask("/v1/sso", { json: { ...json, issuer } });
      expect([issuer, answer.status]).toEqual([issuer, 422]);
    }
  });
});

describe("F30: connections", () => {
  it("seal their secret, and never show it", async () => {
    const made = await connect(acme);
    expect(made.redirect_uri).toBe(`${acme.origin}/auth/oidc/corp/callback`);
    const rows = JSON.stringify(
      (await env.DB.prepare("SELECT * FROM sso_connection").all()).results,
    );
    const trail = JSON.stringify((await env.DB.prepare("SELECT * FROM audit").all()).results);
    const shown = await (await acme.ask(`/v1/sso/${made.id}`)).text();
    for (const text of [JSON.stringify(made), rows, trail, shown]) {
      expect(text).not.toContain(CLIENT_SECRET);
    }
    expect(rows).toMatch(/"sealed_secret":"v2\./);
  });

  it("are set up by who may everything alone: they can let in anybody", async () => {
    const as = await newKey(acme, { scopes: ["issuers:write", "issuers:read", "agents:read"] });
    const json = { slug: "x", name: "x", issuer: `${OIDC}/a`, client_id: "x", client_secret: "x" };
    expect((await acme.ask("/v1/sso", { as, json })).status).toBe(403);
    const { id } = await connect(acme);
    const headers = { "if-match": '"1"' };
    const change = { as, method: "PATCH", headers, json: { client_id: "mine" } };
    expect((await acme.ask(`/v1/sso/${id}`, change)).status).toBe(403);
    expect((await acme.ask(`/v1/sso/${id}`, { as })).status).toBe(200);
  });

  it("of one tenant are no other's: a start there is a miss", async () => {
    await connect(acme);
    const theirs = await shapeOf(await globex.ask("/auth/oidc/corp/start", { as: null }));
    const missing = await shapeOf(await globex.ask("/auth/oidc/none/start", { as: null }));
    expect(theirs).toEqual(missing);
    expect(theirs.status).toBe(404);
  });

  it("deleted, forget who came, and those stay members", async () => {
    const { id } = await connect(acme);
    await signIn(acme, "ada");
    const headers = { "if-match": '"1"' };
    expect((await acme.ask(`/v1/sso/${id}`, { method: "DELETE", headers })).status).toBe(204);
    const count = await env.DB.prepare("SELECT count(*) AS n FROM sso_identity").first("n");
    expect(count).toBe(0);
    expect(await usersNow()).toContainEqual({ email: "ada@corp.example", name: "Ada" });
  });
});
