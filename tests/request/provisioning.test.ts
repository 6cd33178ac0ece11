import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { type World, askPlatform, newWorld, request } from "../fixtures/world.ts";

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

const ADMIN = { email: "ada@initech.example", name: "Ada" };

describe("provisioning a tenant", () => {
  it("F17: makes tenant, first administrator and first key, and the key opens its own host", async () => {
    const json = { slug: "initech", name: "Initech", admin: ADMIN };
    const made = await askPlatform("/v1/tenants", { json });
    expect(made.status).toBe(201);
    const body = await made.json<{
      tenant: { id: string; slug: string };
      admin: { email: string };
      key: { secret: string };
    }>();
    expect(body.admin).toMatchObject({ email: ADMIN.email });
    expect(made.headers.get("location")).toBe(`/v1/tenants/${body.tenant.id}`);
    const me = await request("http://initech.localhost", "/v1/users/me", { as: body.key.secret });
    expect(await me.json()).toMatchObject({ tenant: { id: body.tenant.id, slug: "initech" } });
  });

  it("refuses a taken, a reserved and a malformed slug, and changes nothing", async () => {
    const before = await (await askPlatform("/v1/tenants?limit=100")).json<{ data: unknown[] }>();
    for (const [slug, status] of [
      ["acme", 409],
      ["admin", 422],
      ["ab", 422],
      ["xn--abc", 422],
      ["A-B", 422],
    ] as const) {
      const made = await askPlatform("/v1/tenants", { json: { slug, name: "x", admin: ADMIN } });
      expect([slug, made.status]).toEqual([slug, status]);
      expect(await made.json()).toMatchObject({ errors: [{ pointer: "/slug" }] });
    }
    const after = await (await askPlatform("/v1/tenants?limit=100")).json<{ data: unknown[] }>();
    expect(after.data.length).toBe(before.data.length);
  });

  it("answers the same key with the same tenant, its secret not shown again", async () => {
    const json = { slug: "hooli", name: "Hooli", admin: ADMIN };
    const headers = { "idempotency-key": "provision-hooli" };
    const first = await askPlatform("/v1/tenants", { json, headers });
    const again = await askPlatform("/v1/tenants", { json, headers });
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const [made, replayed] = [
      await first.json<{ tenant: { id: string }; key: { secret: string } }>(),
      await again.json<{ tenant: { id: string }; key: { secret: null } }>(),
    ];
    expect(replayed.tenant).toEqual(made.tenant);
    expect(replayed.key.secret).toBeNull();
    const kept = await env.DB.prepare("SELECT * FROM idempotency").all();
    expect(JSON.stringify(kept.results)).not.toContain(made.key.secret);
  });

  it("lets nobody but the platform's own key in", async () => {
    for (const as of [null, "nonsense", world.acme.key]) {
      const answer = await askPlatform("/v1/tenants", { as });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toContain("Bearer");
    }
  });

  it("lists and gets what was provisioned", async () => {
    const tenant = await askPlatform(`/v1/tenants/${world.acme.id}`);
    expect(await tenant.json()).toMatchObject({ slug: "acme", status: "active" });
    expect((await askPlatform("/v1/tenants/ten_none")).status).toBe(404);
  });

  it("F10: serves a tenant at its own host, and nothing at a host that is nobody's", async () => {
    expect((await world.acme.ask("/v1/users/me")).status).toBe(200);
    const unknown = await request("http://nobody.localhost", "/v1/users/me", {
      as: world.acme.key,
    });
    expect(unknown.status).toBe(404);
    expect((await askPlatform("/v1/agents")).status).toBe(404);
  });
});
