/** Games with hosts, played with real requests: whoever is asked for is whom `Host` names, or nobody. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { activeHostname, ask, at, resetOutside } from "../fixtures/hostnames.ts";
import { type TestTenant, newWorld, shapeOf } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await resetOutside();
  await activeHostname(acme, "agents.companyx.com");
  await activeHostname(acme, "bücher.example");
  await activeHostname(globex, "agents.globex.example");
  await ask(globex, "pending.companyx.com");
  const failed = await ask(acme, "failed.companyx.com");
  await env.DB.prepare("UPDATE hostname SET status = 'failed' WHERE id = ?").bind(failed.id).run();
  const verifying = await ask(acme, "verifying.companyx.com");
  await env.DB.prepare("UPDATE hostname SET status = 'verifying', claimed_name = name WHERE id = ?")
    .bind(verifying.id)
    .run();
});

/** A request whose URL says nothing, with acme's key unless said. */
function get(host: string | null, headers: Record<string, string> = {}, path = "/v1/users/me") {
  const all = new Headers({ authorization: `Bearer ${acme.key}`, ...headers });
  if (host !== null) all.set("host", host);
  return exports.default.fetch(new Request(`http://ignored.invalid${path}`, { headers: all }));
}

describe("F1, F4: a name of a tenant's own", () => {
  it.each([
    "agents.companyx.com",
    "AGENTS.CompanyX.COM",
    "agents.companyx.com:443",
    "agents.companyx.com:8787",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.example:1",
  ])("%s is acme", async (host) => {
    const answer = await get(host);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ tenant: { slug: "acme" } });
  });

  it("opens nothing for another tenant's key, and is not opened at another's name", async () => {
    expect((await at("agents.companyx.com", "/v1/users/me", { as: globex.key })).status).toBe(401);
    expect((await get("agents.globex.example")).status).toBe(401);
  });

  it("has the tenant's pages, documents and key set, and none of the platform's routes", async () => {
    for (const path of [
      "/health",
      "/openapi.json",
      "/docs",
      "/.well-known/jwks.json",
      "/branding.css",
    ]) {
      expect([path, (await at("agents.companyx.com", path)).status]).toEqual([path, 200]);
    }
    expect((await get("agents.companyx.com", {}, "/v1/tenants")).status).toBe(404);
    const platform = { authorization: `Bearer ${env.PLATFORM_KEY}` };
    expect((await get("agents.companyx.com", platform, "/v1/tenants")).status).toBe(404);
  });
});

describe("F1: every host that is nobody's gets one and the same answer, on every path", () => {
  it.each([
    "nobody.localhost",
    "agents.companyx.com.",
    "acme.localhost.",
    ".agents.companyx.com",
    "agents..companyx.com",
    "x.agents.companyx.com",
    "companyx.com",
    "agents.companyx.com.evil.example",
    "agents.companyx.com@evil.example",
    "user@agents.companyx.com",
    "user:pass@acme.localhost",
    "acme@globex.localhost",
    "agents.companyx.com, globex.localhost",
    "acme.localhost globex.localhost",
    "agents.companyx.com/",
    "agents.companyx.com\\",
    "agents.companyx.com?x",
    "agents.companyx.com#",
    "agents.companyx.com:0",
    "agents.companyx.com:99999",
    "agents.companyx.com:80:80",
    "agents.companyx.com:",
    "agents%2ecompanyx%2ecom",
    "acme.localhost%00",
    "xn--acme.localhost",
    "xn--bcher-kva.example.",
    "xn--.example",
    "a.b.c.acme.localhost",
    "*.localhost",
    "*.companyx.com",
    "_acme.localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::1]",
    "[::ffff:127.0.0.1]:8787",
    "::1",
    "",
    " ",
    ".",
    "-",
    "x".repeat(64) + ".companyx.com",
    "x.".repeat(200) + "com",
    "pending.companyx.com",
    "failed.companyx.com",
    "verifying.companyx.com",
  ])("%j", async (host) => {
    const unknown = await shapeOf(await get("nobody.localhost"));
    expect(unknown.status).toBe(404);
    for (const path of [
      "/v1/users/me",
      "/health",
      "/a/support/invoke",
      "/branding.css",
      "/nowhere",
    ]) {
      expect([path, await shapeOf(await get(host, {}, path))]).toEqual([path, unknown]);
    }
  });
});

describe("F1: no other header has a say", () => {
  const SAYS = {
    "x-forwarded-host": "agents.companyx.com",
    "x-forwarded-server": "agents.companyx.com",
    "x-original-host": "acme.localhost",
    "x-host": "acme.localhost",
    "x-http-host-override": "acme.localhost",
    "x-original-url": "http://acme.localhost/v1/users/me",
    "x-rewrite-url": "http://acme.localhost/v1/users/me",
    forwarded: "host=acme.localhost;proto=https",
    origin: "http://acme.localhost",
    referer: "http://acme.localhost/",
    "x-tenant-id": "acme",
  };

  it.each(Object.entries(SAYS))("%s: %s", async (name, value) => {
    expect((await get("nobody.localhost", { [name]: value })).status).toBe(404);
    expect((await get("globex.localhost", { [name]: value })).status).toBe(401);
    expect((await get("agents.globex.example", { [name]: value })).status).toBe(401);
    const { "x-forwarded-host": _own, ...rest } = { ...SAYS, [name]: "globex.localhost" };
    const answer = await get("acme.localhost", { ...rest, origin: "http://globex.localhost" });
    expect(await answer.json()).toMatchObject({ tenant: { slug: "acme" } });
  });

  it("nor has the path or the query", async () => {
    for (const path of [
      "/v1/users/me?host=acme.localhost",
      "//acme.localhost/v1/users/me",
      "/http://acme.localhost/v1/users/me",
      "/%2f%2facme.localhost/v1/users/me",
    ]) {
      expect([path, (await get("nobody.localhost", {}, path)).status]).toEqual([path, 404]);
    }
  });
});
