import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import {
  basic,
  CLIENT_GRANT,
  type MadeClient,
  newClient,
  openedToken,
  postForm,
  tokenOf,
} from "../fixtures/oauth.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

type Secret = { readonly id: string; readonly secret: string; readonly status: string };

const post = <T>(path: string, expected: number, json?: object) =>
  acme.json<T>(path, expected, { method: "POST", ...(json === undefined ? {} : { json }) });
const works = async (id: string, secret: string) =>
  (await postForm(acme, CLIENT_GRANT, basic(id, secret))).status;
const me = (as: string) => acme.ask("/v1/users/me", { as });
const codeOf = async (answer: Response) => (await answer.json<{ code: string }>()).code;

describe("app clients", () => {
  it("F24: show their secret once, and keep its hash alone", async () => {
    const json = { name: "robot", scopes: ["agents:read"] };
    const headers = { "idempotency-key": "make-client" };
    const made = await acme.json<MadeClient>("/v1/clients", 201, { json, headers });
    expect(made.id).toMatch(/^cli_[0-9a-z]{26}$/);
    expect(made.secret).toMatch(/^berth_cs_[0-9a-z]{26}_[0-9A-Za-z]{49}$/);
    const again = await acme.json("/v1/clients", 201, { json, headers });
    expect(again).toEqual({ ...made, secret: null });
    const rows = await env.DB.prepare("SELECT * FROM client_secret").all();
    const audited = await env.DB.prepare("SELECT * FROM audit").all();
    const seen = [
      await (await acme.ask(`/v1/clients/${made.id}`)).text(),
      await (await acme.ask("/v1/clients")).text(),
      await (await acme.ask(`/v1/clients/${made.id}/secrets`)).text(),
      JSON.stringify([rows.results, audited.results]),
    ];
    for (const text of seen) expect(text).not.toContain(made.secret.slice(-49));
  });

  it("F26: are administered under /v1/admin too", async () => {
    const json = { name: "admin's", scopes: ["agents:read"] };
    const { id } = await acme.json<MadeClient>("/v1/admin/clients", 201, { json });
    expect(await acme.json(`/v1/admin/clients/${id}`, 200)).toMatchObject({ name: "admin's" });
    expect(await acme.json(`/v1/clients/${id}`, 200)).toMatchObject({ name: "admin's" });
  });

  it("F24: never hold more than who makes or changes them", async () => {
    const as = await newKey(acme, { scopes: ["clients:write", "clients:read", "agents:read"] });
    const wide = { name: "wide", scopes: ["agents:read", "agents:write"] };
    const refused = await acme.ask("/v1/clients", { as, json: wide });
    expect([refused.status, await codeOf(refused)]).toEqual([403, "forbidden"]);
    const made = await acme.ask("/v1/clients", { as, json: { ...wide, scopes: ["agents:read"] } });
    const { id } = await made.json<MadeClient>();
    const headers = { "if-match": '"1"' };
    const patch = { as, method: "PATCH", headers, json: { scopes: ["agents:write"] } };
    expect((await acme.ask(`/v1/clients/${id}`, patch)).status).toBe(403);
    expect(await acme.json(`/v1/clients/${id}`, 200)).toMatchObject({ scopes: ["agents:read"] });
  });

  it("F24: a new secret is a client's whole power, so only who holds that gets one", async () => {
    const strong = await newClient(acme, ["agents:read", "keys:write"]);
    const as = await newKey(acme, { scopes: ["clients:write", "agents:read"] });
    for (const path of ["secrets", "rotate"]) {
      const asked = { as, method: "POST" };
      const answer = await acme.ask(`/v1/clients/${strong.id}/${path}`, asked);
      expect([path, answer.status]).toEqual([path, 403]);
    }
    expect(await works(strong.id, strong.secret)).toBe(200);
  });

  it("F26: one that is stronger and switched off stays off for who holds less", async () => {
    const client = await newClient(acme, ["agents:write"]);
    const as = await newKey(acme, { scopes: ["clients:write"] });
    const patch = (revision: number, json: object) => {
      const headers = { "if-match": `"${revision}"` };
      return acme.ask(`/v1/clients/${client.id}`, { method: "PATCH", as, headers, json });
    };
    expect((await patch(1, { enabled: false, name: "off" })).status).toBe(200);
    expect((await patch(2, { enabled: true })).status).toBe(403);
    expect((await patch(2, { scopes: [] })).status).toBe(403);
    expect((await patch(2, { token_lifetime_seconds: 60 })).status).toBe(403);
  });

  it("F32: are no business of a narrowed key", async () => {
    const as = await newKey(acme, { environment: "prod" });
    expect((await acme.ask("/v1/clients", { as })).status).toBe(403);
    const json = { name: "x", scopes: [] };
    expect((await acme.ask("/v1/clients", { as, json })).status).toBe(403);
  });

  it("F24: have two secrets that work at most, however many ask at once", async () => {
    const { id, secret } = await newClient(acme);
    const path = `/v1/clients/${id}/secrets`;
    const asked = await Promise.all(
      Array.from({ length: 6 }, () => acme.ask(path, { method: "POST" })),
    );
    expect(asked.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(asked.filter(({ status }) => status === 409)).toHaveLength(5);
    const second = await asked.find(({ status }) => status === 201)?.json<Secret>();
    expect(await works(id, secret)).toBe(200);
    expect(await works(id, String(second?.secret))).toBe(200);
    await post(`${path}/${second?.id}/revoke`, 200);
    expect(await works(id, String(second?.secret))).toBe(401);
    expect(await post<Secret>(path, 201)).toMatchObject({ status: "active" });
  });

  it("F34: a rotated secret works until its grace ends, its successor at once", async () => {
    const { id, secret } = await newClient(acme);
    const next = await post<Secret>(`/v1/clients/${id}/rotate`, 201, { grace_seconds: 3600 });
    expect([await works(id, secret), await works(id, next.secret)]).toEqual([200, 200]);
    const { data } = await acme.json<{ data: Secret[] }>(`/v1/clients/${id}/secrets`, 200);
    expect(data.map(({ status }) => status)).toEqual(["active", "expiring"]);
    const past = env.DB.prepare("UPDATE client_secret SET expires_at_ms = ? WHERE id = ?");
    await past.bind(Date.now() - 1, data[1]?.id).run();
    expect([await works(id, secret), await works(id, next.secret)]).toEqual([401, 200]);
    const last = await post<Secret>(`/v1/clients/${id}/rotate`, 201, { grace_seconds: 0 });
    expect([await works(id, next.secret), await works(id, last.secret)]).toEqual([401, 200]);
  });

  it("F34: rotated twice within the grace, every secret keeps the end it was promised", async () => {
    const { id, secret } = await newClient(acme);
    const second = await post<Secret>(`/v1/clients/${id}/rotate`, 201, { grace_seconds: 7200 });
    const third = await post<Secret>(`/v1/clients/${id}/rotate`, 201, { grace_seconds: 60 });
    const working = () =>
      Promise.all([secret, second.secret, third.secret].map((it) => works(id, it)));
    expect(await working()).toEqual([200, 200, 200]);
    await post(`/v1/clients/${id}/rotate`, 201, { grace_seconds: 0 });
    expect(await working()).toEqual([401, 401, 401]);
  });

  it("F26: one that is stronger is not deleted by who could not make it, but can be cut off", async () => {
    const client = await newClient(acme, ["agents:write"]);
    const as = await newKey(acme, { scopes: ["clients:write", "clients:read"] });
    const path = `/v1/clients/${client.id}`;
    const asked = (revision: number) => ({
      method: "DELETE",
      headers: { "if-match": `"${revision}"` },
    });
    expect((await acme.ask(path, { as, ...asked(1) })).status).toBe(403);
    const { data } = await acme.json<{ data: Secret[] }>(`${path}/secrets`, 200);
    const leaked = `${path}/secrets/${data[0]?.id}/revoke`;
    expect((await acme.ask(leaked, { as, method: "POST" })).status).toBe(200);
    expect((await acme.ask(path, asked(1))).status).toBe(204);
  });

  it("G10: disabled or deleted, get no token and have none that is good", async () => {
    const client = await newClient(acme);
    const token = await tokenOf(acme, client);
    expect((await me(token)).status).toBe(200);
    const path = `/v1/clients/${client.id}`;
    const change = (method: string, revision: number, json?: object) =>
      acme.ask(path, {
        method,
        headers: { "if-match": `"${revision}"` },
        ...(json === undefined ? {} : { json }),
      });
    expect((await change("PATCH", 1, { enabled: false })).status).toBe(200);
    expect(await codeOf(await me(token))).toBe("invalid_token");
    expect(await works(client.id, client.secret)).toBe(401);
    expect((await change("PATCH", 2, { enabled: true })).status).toBe(200);
    expect((await me(token)).status).toBe(200);
    expect((await change("DELETE", 2)).status).toBe(412);
    expect((await change("DELETE", 3)).status).toBe(204);
    expect(await codeOf(await me(token))).toBe("invalid_token");
    expect(await works(client.id, client.secret)).toBe(401);
    expect((await acme.ask(path)).status).toBe(404);
    const left = env.DB.prepare("SELECT count(*) AS n FROM client_secret WHERE client_id = ?");
    expect(await left.bind(client.id).first("n")).toBe(0);
  });

  it("G10: a scope taken away is gone from tokens that were made with it", async () => {
    const client = await newClient(acme, ["agents:read", "keys:read"]);
    const token = await tokenOf(acme, client);
    expect((await acme.ask("/v1/keys", { as: token })).status).toBe(200);
    const headers = { "if-match": '"1"' };
    const json = { scopes: ["agents:read"] };
    await acme.json(`/v1/clients/${client.id}`, 200, { method: "PATCH", headers, json });
    expect((await acme.ask("/v1/keys", { as: token })).status).toBe(403);
    expect((await acme.ask("/v1/agents", { as: token })).status).toBe(200);
  });

  it("F39: may what roles assign them, and what the role is narrowed to", async () => {
    const client = await newClient(acme, []);
    expect((await postForm(acme, CLIENT_GRANT, basic(client.id, client.secret))).status).toBe(400);
    const json = { principal: client.id, role: "viewer" };
    await acme.json("/v1/assignments", 201, { json });
    const token = await tokenOf(acme, client);
    expect(String(openedToken(token)[1]?.["scope"]).split(" ")).toContain("agents:read");
    expect((await acme.ask("/v1/agents", { as: token })).status).toBe(200);
    const agent = { slug: "x", name: "x" };
    expect((await acme.ask("/v1/agents", { as: token, json: agent })).status).toBe(403);
  });

  it("F12: of one tenant are nobody at another", async () => {
    const client = await newClient(acme);
    const answer = await postForm(globex, CLIENT_GRANT, basic(client.id, client.secret));
    const nobody = await postForm(
      globex,
      CLIENT_GRANT,
      basic("cli_00000000000000000000000000", client.secret),
    );
    expect([answer.status, await answer.text()]).toEqual([nobody.status, await nobody.text()]);
    const token = await tokenOf(acme, client);
    expect((await globex.ask("/v1/agents", { as: token })).status).toBe(401);
  });

  it("F171: each change of a client is in the trail, with who did it", async () => {
    const { id } = await newClient(acme);
    await post(`/v1/clients/${id}/rotate`, 201);
    const query = env.DB.prepare(
      "SELECT action, actor_id FROM audit WHERE resource_id = ? ORDER BY id",
    );
    const { results } = await query.bind(id).all();
    expect(results).toEqual([
      { action: "client.created", actor_id: acme.keyId },
      { action: "client.secret_rotated", actor_id: acme.keyId },
    ]);
  });
});
