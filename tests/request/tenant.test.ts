/** The tenant as a whole: its tier, its flags, what it says of itself, suspension and the way back. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { dueOutbox } from "../../core/db/outbox.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import {
  type TestTenant,
  askPlatform,
  deliver,
  newAgent,
  newCookie,
  newKey,
  newWorld,
  request,
  setStanding,
  shapeOf,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});

async function patchFromPlatform(json: object, revision = 1, tenant = acme): Promise<Response> {
  const headers = { "if-match": `"${revision}"` };
  return askPlatform(`/v1/tenants/${tenant.id}`, { method: "PATCH", json, headers });
}

async function patchSelf(json: object, revision = 1): Promise<Response> {
  return acme.ask("/v1/tenant", {
    method: "PATCH",
    json,
    headers: { "if-match": `"${revision}"` },
  });
}

const LONG = "correct horse battery staple 9";
const PERSON = { email: "new@acme.example", name: "New", password: LONG };
const FORM = { "content-type": "application/x-www-form-urlencoded" };

describe("F18: suspension", () => {
  it("refuses whoever holds a credential, on control plane and data plane, at once", async () => {
    const narrow = await newKey(acme, { scopes: ["agents:invoke"] });
    const cookie = await newCookie(acme);
    await setStanding(acme, "suspend", "unpaid");
    for (const [path, ask] of [
      ["/v1/agents", {}],
      ["/v1/keys", {}],
      ["/v1/agents", { json: { slug: "new", name: "New" } }],
      ["/v1/tenant/quotas", {}],
      ["/a/support/invoke", { json: { input: "Hello?" } }],
      ["/a/support/invoke", { json: { input: "Hello?" }, as: narrow }],
      ["/v1/agents", { as: null, headers: { cookie } }],
    ] as const) {
      const answer = await acme.ask(path, ask);
      expect([path, answer.status, await answer.json()]).toMatchObject([
        path,
        403,
        { code: "suspended" },
      ]);
    }
    expect((await globex.ask("/v1/agents")).status).toBe(200);
  });

  it("lets its own people sign in, read why, and sign out", async () => {
    await setStanding(acme, "suspend", "unpaid since May");
    const tenant = await acme.json("/v1/tenant", 200);
    expect(tenant).toMatchObject({ status: "suspended", suspended_reason: "unpaid since May" });
    const cookie = await newCookie(acme);
    const own = { as: null, headers: { cookie, origin: acme.origin } };
    expect(await acme.json("/auth/session", 200, own)).toMatchObject({
      tenant: { status: "suspended" },
    });
    await acme.json("/auth/session", 204, { ...own, method: "DELETE" });
    expect((await acme.ask("/auth/session", own)).status).toBe(401);
  });

  it("tells strangers nothing: to them it answers as before, byte for byte", async () => {
    const asked = [
      ["/v1/agents", {}],
      ["/v1/tenant", {}],
      ["/auth/session", {}],
      ["/auth/session", { json: { key: globex.key } }],
      ["/a/support/invoke", { json: { input: "Hello?" } }],
      ["/a/support/invoke", { json: { input: "Hello?" }, as: globex.key }],
      ["/v1/agents", { as: `${acme.key.slice(0, -49)}${"0".repeat(49)}` }],
      ["/a/support/chat?ticket=made-up", { headers: { upgrade: "websocket" } }],
      ["/auth/login", { json: { email: "ada@acme.example", password: "wrong but long enough" } }],
      ["/auth/register", { json: PERSON }],
      ["/auth/verify", { json: { token: "made-up" } }],
      ["/auth/invitations/accept", { json: { token: "made-up", name: "N", password: LONG } }],
      ["/auth/password/forgot", { json: { email: "nobody@acme.example" } }],
      ["/auth/password/reset", { json: { token: "made-up", password: LONG } }],
      ["/auth/token", { raw: "grant_type=client_credentials", headers: FORM, method: "POST" }],
      ["/auth/connections", {}],
      ["/auth/oidc/none/start", {}],
      ["/branding.css", {}],
      ["/health", {}],
      ["/.well-known/jwks.json", {}],
      ["/nowhere", {}],
    ] as const;
    const shapes = async () => {
      const found = [];
      for (const [path, ask] of asked) {
        found.push([path, await shapeOf(await request(acme.origin, path, { as: null, ...ask }))]);
      }
      return found;
    };
    const before = await shapes();
    await setStanding(acme, "suspend", "unpaid");
    expect(await shapes()).toEqual(before);
  });

  it("is over at once with reactivation, and everything is as it was", async () => {
    const before = await acme.json("/v1/keys", 200);
    await setStanding(acme, "suspend");
    await setStanding(acme, "reactivate");
    expect(await acme.json("/v1/keys", 200)).toEqual(before);
    expect(await acme.json("/v1/tenant", 200)).toMatchObject({
      status: "active",
      suspended_at: null,
      suspended_reason: null,
    });
  });

  it("is nobody's but the platform's, and of no tenant there is not", async () => {
    const path = `/v1/tenants/${acme.id}/suspend`;
    expect((await askPlatform(path, { method: "POST", as: acme.key })).status).toBe(401);
    expect((await acme.ask(path, { method: "POST" })).status).toBe(404);
    for (const id of ["acme", "ten_00000000000000000000000000", "x".repeat(80)]) {
      const none = await askPlatform(`/v1/tenants/${id}/suspend`, { method: "POST" });
      expect([id, none.status]).toEqual([id, 404]);
    }
  });
});

describe("F6: location", () => {
  it("is the tenant's, and its objects are made there", async () => {
    expect((await patchFromPlatform({ location: "weur" })).status).toBe(200);
    expect((await patchFromPlatform({ location: "moon" }, 2)).status).toBe(422);
    const hints: unknown[] = [];
    const agents = env.AGENT_RUNTIME;
    const getByName: typeof agents.getByName = (name, options) => {
      hints.push(options?.locationHint);
      return agents.getByName(name, options);
    };
    const watched = { ...env, AGENT_RUNTIME: { getByName } as unknown as typeof agents }; // all of it that is used
    for (const [tenant, slug] of [
      [acme, "near"],
      [globex, "anywhere"],
    ] as const) {
      const { id } = await newAgent(tenant, slug);
      const json = { version: 1, environment: "prod" };
      await tenant.json(`/v1/agents/${id}/deployments`, 202, { json });
      const due = await dueOutbox(servicesOf(env).platform, Date.now() + 3_600_000, 100);
      await deliver("berth-deployments", due, watched);
      await tenant.json(`/a/${slug}/invoke`, 200, { json: { input: "Where is the office?" } });
    }
    expect(new Set(hints)).toEqual(new Set(["weur", undefined]));
  });
});

describe("F8: flags", () => {
  it("are a closed list, switched by the platform, read by the tenant", async () => {
    const { flags } = await acme.json<{ flags: object }>("/v1/tenant/flags", 200);
    expect(flags).toEqual({
      custom_hostnames: true,
      self_registration: true,
      sso: true,
      white_label: true,
    });
    expect((await patchFromPlatform({ flags: { self_registration: false } })).status).toBe(200);
    expect(await acme.json("/v1/tenant/flags", 200)).toMatchObject({
      flags: { ...flags, self_registration: false },
    });
    expect((await patchFromPlatform({ flags: { made_up: true } }, 2)).status).toBe(422);
    expect(await globex.json("/v1/tenant/flags", 200)).toEqual({ flags });
  });

  it("are not the tenant's to switch, nor to go round", async () => {
    expect((await patchSelf({ flags: { sso: true } })).status).toBe(422);
    await patchFromPlatform({ flags: { self_registration: false } });
    expect((await patchSelf({ registration: "open" }, 2)).status).toBe(403);
  });
});

describe("F178, F17: tiers", () => {
  it("bound what is made: 402 with the quota, and more after an upgrade", async () => {
    const headers = { "if-match": '"1"' };
    await askPlatform(`/v1/tenants/${acme.id}`, {
      method: "PATCH",
      json: { tier: "free" },
      headers,
    });
    const made = [];
    for (let n = 0; n < 11; n += 1) {
      made.push(await acme.ask("/v1/agents", { json: { slug: `a-${n}`, name: "A" } }));
    }
    expect(made.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 10 }, () => 201),
      402,
    ]);
    expect(await made.at(-1)?.json()).toMatchObject({
      code: "quota_exceeded",
      detail: "the tier free allows 10 agents",
    });
    expect(await acme.json("/v1/tenant/quotas", 200)).toMatchObject({
      tier: "free",
      quotas: expect.arrayContaining([{ noun: "agents", used: 10, allowed: 10 }]),
    });
    await patchFromPlatform({ tier: "team" }, 2);
    await acme.json("/v1/agents", 201, { json: { slug: "more", name: "More" } });
    expect((await patchFromPlatform({ tier: "platinum" }, 3)).status).toBe(422);
  });
});

describe("F10: a tenant about itself", () => {
  it("changes its name and who may register, at the revision it read", async () => {
    const changed = await patchSelf({ name: "Acme & Co", registration: "open" });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).toBe('"2"');
    expect(await acme.json("/v1/tenant", 200)).toMatchObject({
      name: "Acme & Co",
      registration: "open",
      default_role: "viewer",
    });
    expect((await patchSelf({ name: "Late" })).status).toBe(412);
    expect((await patchSelf({ default_role: "admin" }, 2)).status).toBe(422);
    expect((await patchSelf({ default_role: "developer" }, 2)).status).toBe(200);
    expect((await patchSelf({ status: "active" }, 3)).status).toBe(422);
  });

  it("needs the scope, and a credential for the whole tenant", async () => {
    const reader = await newKey(acme, { scopes: ["tenant:read"] });
    const narrow = await newKey(acme, { environment: "prod" });
    for (const as of [reader, narrow]) {
      const ask = { method: "PATCH", json: { name: "X" }, headers: { "if-match": '"1"' }, as };
      expect((await acme.ask("/v1/tenant", ask)).status).toBe(403);
    }
  });

  it("F10: the platform finds it by id, and changes its name", async () => {
    const found = await askPlatform(`/v1/tenants/${acme.id}`);
    expect(found.headers.get("etag")).toBe('"1"');
    expect((await patchFromPlatform({ name: "Renamed" })).status).toBe(200);
    expect(await acme.json("/v1/tenant", 200)).toMatchObject({ slug: "acme", name: "Renamed" });
    expect((await patchFromPlatform({ name: "Late" })).status).toBe(412);
    expect((await patchFromPlatform({ slug: "other" }, 2)).status).toBe(422);
  });
});
