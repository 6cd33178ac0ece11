/** What each kind of host is answered, through the whole Worker. */
import { beforeAll, describe, expect, it } from "vitest";
import { exports } from "cloudflare:workers";
import { shapeOf, newWorld, type World } from "../../tests/fixtures/world.ts";

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

function get(host: string, headers: Record<string, string> = {}, path = "/v1/users/me") {
  const all = { host, authorization: `Bearer ${world.acme.key}`, ...headers };
  return exports.default.fetch(new Request(`http://ignored.example${path}`, { headers: all }));
}

describe("F1: the Host header alone names the tenant", () => {
  it.each(["acme.localhost", "ACME.LOCALHOST", "acme.localhost:8787", "acme.localhost:1"])(
    "%s is acme",
    async (host) => {
      const answer = await get(host);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ tenant: { slug: "acme" } });
    },
  );

  it("no other header has a say", async () => {
    const headers = {
      "x-forwarded-host": "acme.localhost",
      "x-original-host": "acme.localhost",
      forwarded: "host=acme.localhost",
      "x-tenant": "acme",
      "x-tenant-id": world.acme.id,
    };
    expect((await get("globex.localhost", headers)).status).toBe(401);
    expect((await get("nobody.localhost", headers)).status).toBe(404);
    expect((await get("acme.localhost", { "x-forwarded-host": "globex.localhost" })).status).toBe(
      200,
    );
  });

  it("nor has the query or the path", async () => {
    expect((await get("nobody.localhost", {}, "/v1/users/me?tenant=acme")).status).toBe(404);
    expect((await get("nobody.localhost", {}, "//acme.localhost/v1/users/me")).status).toBe(404);
  });

  it("every host that is not a living tenant's gets one and the same answer, on every path", async () => {
    const unknown = await shapeOf(await get("nobody.localhost"));
    expect(unknown).toMatchObject({ status: 404 });
    for (const host of [
      "admin.localhost",
      "ab.localhost",
      "a.b.localhost",
      "acme.localhost.",
      "acme_.localhost",
      "xn--acme.localhost",
      "acme.localhost:0",
      "acme.localhost:x",
      "acme.example.com",
      "127.0.0.1",
      "[::1]",
      "x".repeat(300),
    ]) {
      for (const path of ["/v1/users/me", "/health", "/a/support/invoke", "/nowhere"]) {
        expect(await shapeOf(await get(host, {}, path))).toEqual(unknown);
      }
    }
  });

  it("the platform's host is not a tenant's, nor the other way round", async () => {
    expect((await get("localhost")).status).toBe(404);
    expect((await get("acme.localhost", {}, "/v1/tenants")).status).toBe(404);
  });
});
