/** Names of a tenant's own: asked for, proven in DNS, certified, served, lost and let go of. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import type { Hostname } from "../../core/hostnames/contract.ts";
import { app } from "../../workers/app.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { checkDueHostnames } from "../../workers/jobs/hostnames.ts";
import {
  activeHostname,
  ask,
  at,
  faults,
  resetOutside,
  show,
  tell,
  verify,
} from "../fixtures/hostnames.ts";
import {
  type TestTenant,
  askPlatform,
  newCookie,
  newKey,
  newToken,
  newWorld,
  setStanding,
  shapeOf,
} from "../fixtures/world.ts";

const NAME = "agents.companyx.com";

let acme: TestTenant;
let globex: TestTenant;
beforeEach(async () => {
  ({ acme, globex } = await newWorld());
  await resetOutside();
});

const DAY = 86_400_000;

/** Cron, so much later. */
function later(ms: number): Promise<number> {
  return checkDueHostnames(servicesOf(env), Date.now() + ms);
}

async function customs(): Promise<readonly { readonly hostname: string }[]> {
  return tell("cloudflare", "/__hostnames");
}

async function remove(tenant: TestTenant, { id }: Hostname): Promise<number> {
  const { revision } = await tenant.json<Hostname>(`/v1/hostnames/${id}`, 200);
  const headers = { "if-match": `"${revision}"` };
  return (await tenant.ask(`/v1/hostnames/${id}`, { method: "DELETE", headers })).status;
}

describe("F4: from asked for to served", () => {
  it("pending → verifying → active, with the records to set, and then the tenant is there", async () => {
    const row = await ask(acme, "Agents.CompanyX.com.");
    expect(row).toMatchObject({
      name: NAME,
      status: "pending",
      records: [
        { type: "TXT", name: `_berth-challenge.${NAME}`, purpose: "ownership" },
        { type: "CNAME", name: NAME, value: "acme.localhost", purpose: "routing" },
      ],
    });
    expect(await verify(acme, row)).toMatchObject({
      status: "pending",
      problem: "no TXT record holds the token",
    });
    expect((await at(NAME, "/health")).status).toBe(404);
    await show(row);
    expect((await verify(acme, row)).status).toBe("verifying");
    expect(await customs()).toMatchObject([{ hostname: NAME }]);
    expect((await at(NAME, "/health")).status).toBe(404);
    await tell("cloudflare", "/__set", { hostname: NAME, status: "active", ssl: "active" });
    expect(await verify(acme, row)).toMatchObject({ status: "active", problem: null });
    const me = await at(NAME, "/v1/users/me", { as: acme.key });
    expect(await me.json()).toMatchObject({ tenant: { slug: "acme" } });
  });

  it("cron goes on by itself, and gives up after a week", async () => {
    const [row, lost] = [await ask(acme, NAME), await ask(acme, "lost.companyx.com")];
    await show(row);
    expect(await later(0)).toBe(2);
    await tell("cloudflare", "/__set", { hostname: NAME, status: "active", ssl: "active" });
    await later(60_000);
    expect((await acme.json<Hostname>(`/v1/hostnames/${row.id}`, 200)).status).toBe("active");
    await later(8 * DAY);
    expect((await acme.json<Hostname>(`/v1/hostnames/${lost.id}`, 200)).status).toBe("failed");
  });

  it("F193: what its certificate failed for is told, and the name is let go of", async () => {
    const row = await ask(acme, NAME);
    await show(row);
    await verify(acme, row);
    const message = "The authority has rate limited these domains.";
    await tell("cloudflare", "/__set", { hostname: NAME, ssl: "validation_timed_out", message });
    expect(await verify(acme, row)).toMatchObject({ status: "failed", problem: message });
    expect(await customs()).toEqual([]);
    const refused = await ask(acme, "refused.companyx.com");
    await show(refused);
    expect(await verify(acme, refused)).toMatchObject({
      status: "failed",
      problem: expect.stringContaining("Invalid custom hostname"),
    });
  });

  it("a duplicate left at the edge by a crash is taken over", async () => {
    const row = await activeHostname(acme, NAME);
    const { DB } = env;
    await DB.prepare("UPDATE hostname SET edge_id = NULL WHERE id = ?").bind(row.id).run();
    expect((await verify(acme, row)).status).toBe("active");
    expect(await customs()).toHaveLength(1);
    expect(await remove(acme, row)).toBe(204);
    expect(await customs()).toEqual([]);
  });
});

describe("F4: what a name may be", () => {
  it.each([
    "localhost",
    "acme.localhost",
    "globex.localhost",
    "127.0.0.1",
    "[::1]",
    "companyx",
    "*.companyx.com",
    "a_b.companyx.com",
    "companyx.com:443",
    "https://companyx.com",
    "companyx.com/x",
    "user@companyx.com",
    "pаypal.com",
    "xn--pypal-4ve.com",
    "db.internal",
    "x".repeat(300),
  ])("refuses %s, with the reason", async (name) => {
    const refused = await acme.ask("/v1/hostnames", { json: { name } });
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code: "invalid", errors: [{ pointer: "/name" }] });
  });

  it("is one name however it is spelt", async () => {
    await ask(acme, "BÜCHER.example");
    for (const name of ["bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE."]) {
      expect((await acme.ask("/v1/hostnames", { json: { name } })).status).toBe(409);
    }
  });
});

describe("F4: never two tenants on one name", () => {
  it("who only asks holds nothing, and is not told who else asked", async () => {
    const squat = await ask(globex, NAME);
    const row = await activeHostname(acme, NAME);
    expect(row.status).toBe("active");
    expect((await verify(globex, squat)).problem).toBe("no TXT record holds the token");
    const me = await at(NAME, "/v1/users/me", { as: acme.key });
    expect(await me.json()).toMatchObject({ tenant: { slug: "acme" } });
    const fresh = await shapeOf(
      await globex.ask("/v1/hostnames", { json: { name: "new.companyx.com" } }),
    );
    expect(fresh.status).toBe(201);
  });

  it("while both prove it, it stays; when its holder does not, it goes over", async () => {
    const [held, other] = [await activeHostname(acme, NAME), await ask(globex, NAME)];
    await show(held, other);
    const refused = await globex.ask(`/v1/hostnames/${other.id}/verify`, { method: "POST" });
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: "conflict" }]);
    expect((await at(NAME, "/v1/users/me", { as: acme.key })).status).toBe(200);
    await show(other);
    expect((await verify(globex, other)).status).toBe("active");
    expect((await at(NAME, "/v1/users/me", { as: globex.key })).status).toBe(200);
    expect((await at(NAME, "/v1/users/me", { as: acme.key })).status).toBe(401);
    expect((await acme.json<Hostname>(`/v1/hostnames/${held.id}`, 200)).status).toBe("failed");
    expect(await customs()).toHaveLength(1);
  });

  it("parallel verifications of two tenants leave one of them with it", async () => {
    const [one, two] = [await ask(acme, NAME), await ask(globex, NAME)];
    await show(one, two);
    const path = ({ id }: Hostname) => `/v1/hostnames/${id}/verify`;
    await Promise.all([
      acme.ask(path(one), { method: "POST" }),
      globex.ask(path(two), { method: "POST" }),
      acme.ask(path(one), { method: "POST" }),
      globex.ask(path(two), { method: "POST" }),
    ]);
    const { results } = await env.DB.prepare("SELECT * FROM hostname WHERE claimed_name = ?")
      .bind(NAME)
      .all();
    expect(results).toHaveLength(1);
    expect(await customs()).toHaveLength(1);
  });

  it("what is let go of leads nowhere at once, and is free", async () => {
    const row = await activeHostname(acme, NAME);
    expect(await remove(acme, row)).toBe(204);
    expect((await at(NAME, "/health")).status).toBe(404);
    expect(await customs()).toEqual([]);
    expect((await activeHostname(globex, NAME)).status).toBe("active");
  });
});

describe("F4: the daily round", () => {
  it("lets go after three days without either record, and not for a resolver that is down", async () => {
    const row = await activeHostname(acme, NAME);
    const state = () => acme.json<Hostname>(`/v1/hostnames/${row.id}`, 200);
    await faults("dns", { kind: "status", status: 502, times: 20 });
    for (let day = 1; day <= 4; day += 1) await later(day * DAY + 10);
    expect(await state()).toMatchObject({
      status: "active",
      problem: expect.stringContaining("502"),
    });
    await resetDns();
    for (let day = 6; day <= 7; day += 1) await later(day * DAY);
    expect((await state()).status).toBe("active");
    await later(9 * DAY);
    expect((await state()).status).toBe("failed");
    expect((await at(NAME, "/health")).status).toBe(404);
    expect(await customs()).toEqual([]);
  });

  it("is content with a CNAME that leads here, once the name was proven", async () => {
    const row = await activeHostname(acme, NAME);
    await resetDns();
    await tell("dns", "/__records", { name: NAME, type: "CNAME", data: ["Acme.localhost."] });
    for (let day = 1; day <= 5; day += 1) await later(day * DAY + day * 10);
    expect((await acme.json<Hostname>(`/v1/hostnames/${row.id}`, 200)).status).toBe("active");
  });

  async function resetDns(): Promise<void> {
    await tell("dns", "/__reset", {});
  }
});

describe("F4: faults outside", () => {
  it.each([
    { kind: "status", status: 500 },
    { kind: "status", status: 429 },
    { kind: "html" },
    { kind: "close" },
    { kind: "redirect" },
    { kind: "large" },
  ] as const)("of the resolver prove nothing: %o", async (fault) => {
    const row = await ask(acme, NAME);
    await show(row);
    await faults("dns", fault);
    const looked = await verify(acme, row);
    expect(looked.status).toBe("pending");
    expect(looked.problem).toMatch(/resolver/);
    expect((await verify(acme, row)).status).toBe("verifying");
  });

  it("of the name's own servers prove nothing either", async () => {
    const row = await ask(acme, NAME);
    await show(row);
    await tell("dns", "/__status", { name: `_berth-challenge.${NAME}`, status: 2 });
    expect(await verify(acme, row)).toMatchObject({
      status: "pending",
      problem: expect.stringContaining("DNS status 2"),
    });
  });

  it.each([
    [{ kind: "status", status: 500 }, "busy", "60"],
    [{ kind: "status", status: 429, headers: { "retry-after": "30" } }, "busy", "30"],
    [{ kind: "status", status: 403 }, "token", "60"],
    [{ kind: "html" }, "cannot be reached", "60"],
    [{ kind: "close" }, "cannot be reached", "60"],
    [{ kind: "redirect" }, "cannot be reached", "60"],
    [{ kind: "large" }, "cannot be reached", "60"],
  ] as const)("of Cloudflare keep the name where it is: %o", async (fault, said, wait) => {
    const row = await ask(acme, NAME);
    await show(row);
    await faults("cloudflare", fault);
    const looked = await verify(acme, row);
    expect(looked).toMatchObject({ status: "verifying", problem: expect.stringContaining(said) });
    expect(JSON.stringify(looked)).not.toContain(servicesOf(env).config.cloudflare?.apiToken);
    await verify(acme, row);
    expect(await customs()).toHaveLength(1);
    await faults("cloudflare", fault);
    const { revision } = await acme.json<Hostname>(`/v1/hostnames/${row.id}`, 200);
    const headers = { "if-match": `"${revision}"` };
    const kept = await acme.ask(`/v1/hostnames/${row.id}`, { method: "DELETE", headers });
    expect(kept.status).toBe(503);
    expect(kept.headers.get("retry-after")).toBe(wait);
    expect(await remove(acme, row)).toBe(204);
    expect(await customs()).toEqual([]);
  });
});

describe("F4: credentials at a name of the tenant's own", () => {
  it("keys are good there; tokens and cookies at the one origin they were made for", async () => {
    await activeHostname(acme, NAME);
    expect((await at(NAME, "/v1/agents", { as: acme.key })).status).toBe(200);
    expect((await at(NAME, "/v1/agents", { as: globex.key })).status).toBe(401);
    const there = `http://${NAME}`;
    expect((await at(NAME, "/v1/agents", { as: await newToken(acme) })).status).toBe(401);
    const token = await newToken({ ...acme, origin: there });
    expect((await at(NAME, "/v1/agents", { as: token })).status).toBe(200);
    expect((await acme.ask("/v1/agents", { as: token })).status).toBe(401);
    const signedIn = await at(NAME, "/auth/session", {
      json: { key: acme.key },
      headers: { origin: there },
    });
    const cookie = signedIn.headers.get("set-cookie")?.split(";", 1)[0] ?? "";
    const json = { slug: "bot", name: "Bot" };
    const write = (origin: string) => at(NAME, "/v1/agents", { json, headers: { cookie, origin } });
    for (const origin of [acme.origin, "http://companyx.com", `${there}:8443`, "null"]) {
      expect([origin, (await write(origin)).status]).toEqual([origin, 403]);
    }
    expect((await write(there)).status).toBe(201);
  });

  it("who may not write hostnames may not, narrowed or not; and a flag takes it all away", async () => {
    const row = await activeHostname(acme, NAME);
    const reader = await newKey(acme, { scopes: ["hostnames:read"] });
    const narrow = await newKey(acme, { environment: "prod" });
    for (const as of [reader, narrow]) {
      expect(
        (await acme.ask("/v1/hostnames", { json: { name: "x.companyx.com" }, as })).status,
      ).toBe(403);
      expect(
        (await acme.ask(`/v1/hostnames/${row.id}/verify`, { method: "POST", as })).status,
      ).toBe(403);
    }
    const json = { flags: { custom_hostnames: false } };
    const headers = { "if-match": '"1"' };
    await askPlatform(`/v1/tenants/${acme.id}`, { method: "PATCH", json, headers });
    expect((await at(NAME, "/health")).status).toBe(404);
    expect((await acme.ask("/v1/hostnames", { json: { name: "x.companyx.com" } })).status).toBe(
      403,
    );
    expect(await remove(acme, row)).toBe(204);
  });

  it("F18: a suspended tenant's name answers as its host does", async () => {
    await activeHostname(acme, NAME);
    const cookie = await newCookie(acme);
    const stranger = await shapeOf(await at(NAME, "/v1/agents"));
    await setStanding(acme, "suspend");
    expect((await at(NAME, "/v1/agents", { as: acme.key })).status).toBe(403);
    expect((await at(NAME, "/auth/session", { headers: { cookie } })).status).toBe(200);
    expect(await shapeOf(await at(NAME, "/v1/agents"))).toEqual(stranger);
  });
});

describe("F4: without Cloudflare", () => {
  it("a proven name is served as it arrives", async () => {
    const bare = { ...env, CLOUDFLARE_ZONE_ID: "", CLOUDFLARE_API_TOKEN: "" };
    const row = await ask(acme, NAME);
    await show(row);
    const ctx = createExecutionContext();
    const headers = { host: "acme.localhost", authorization: `Bearer ${acme.key}` };
    const url = `${acme.origin}/v1/hostnames/${row.id}/verify`;
    const answer = await app.fetch(new Request(url, { method: "POST", headers }), bare, ctx);
    await waitOnExecutionContext(ctx);
    expect(await answer.json()).toMatchObject({ status: "active" });
    expect(await customs()).toEqual([]);
    expect((await at(NAME, "/v1/agents", { as: acme.key })).status).toBe(200);
  });
});
