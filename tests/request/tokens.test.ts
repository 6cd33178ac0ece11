import { env } from "cloudflare:workers";
import { compactVerify, importJWK } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  basic,
  CLIENT_GRANT,
  type Form,
  type MadeClient,
  newClient,
  openedToken,
  postForm,
  tokenOf,
} from "../fixtures/oauth.ts";
import { type TestTenant, newWorld, request } from "../fixtures/world.ts";

let acme: TestTenant;
let client: MadeClient;
beforeAll(async () => {
  ({ acme } = await newWorld());
  client = await newClient(acme, ["agents:read", "usage:read"]);
});

// The files that come after this one share its isolate, and its clock.
afterEach(() => {
  vi.useRealTimers();
});

type Answered = {
  readonly error?: string;
  readonly access_token?: string;
  readonly scope?: string;
};

/** Status and the error, or the scope that was given. */
async function outcome(answer: Response): Promise<readonly [number, string | undefined]> {
  expect(answer.headers.get("cache-control")).toBe("no-store");
  const body = await answer.json<Answered>();
  return [answer.status, body.error ?? body.scope];
}

const asked = async (form: Form | string, headers: Record<string, string> = {}) =>
  outcome(await postForm(acme, form, headers));
const mine = () => basic(client.id, client.secret);

describe("F24: client credentials", () => {
  it("by Basic and by the form, all scopes unless fewer are asked for", async () => {
    const post = { client_id: client.id, client_secret: client.secret };
    expect(await asked(CLIENT_GRANT, mine())).toEqual([200, "agents:read usage:read"]);
    expect(await asked({ ...CLIENT_GRANT, ...post })).toEqual([200, "agents:read usage:read"]);
    const fewer = { ...CLIENT_GRANT, scope: "usage:read" };
    expect(await asked(fewer, mine())).toEqual([200, "usage:read"]);
    expect(await asked({ ...CLIENT_GRANT, scope: "" }, mine())).toEqual([
      200,
      "agents:read usage:read",
    ]);
  });

  it("the halves of Basic are form-encoded, and a client_id beside it must agree", async () => {
    const percent = client.id.replaceAll(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`);
    const encoded = { authorization: `Basic ${btoa(`${percent}:${client.secret}`)}` };
    expect((await asked(CLIENT_GRANT, encoded))[0]).toBe(200);
    expect((await asked({ ...CLIENT_GRANT, client_id: client.id }, mine()))[0]).toBe(200);
    const other = { ...CLIENT_GRANT, client_id: "cli_other" };
    expect(await asked(other, mine())).toEqual([400, "invalid_request"]);
  });

  it("a token is what RFC 9068 says it is, and opens what its scopes say", async () => {
    const startS = Math.floor(Date.now() / 1000);
    const token = await tokenOf(acme, client, { scope: "agents:read" });
    const [header, claims] = openedToken(token);
    expect(header).toEqual({ alg: "EdDSA", typ: "at+jwt", kid: "test" });
    expect(claims).toMatchObject({
      iss: acme.origin,
      aud: acme.origin,
      sub: client.id,
      client_id: client.id,
      scope: "agents:read",
    });
    expect(String(claims?.["jti"]).length).toBeGreaterThan(20);
    expect(Number(claims?.["iat"])).toBeGreaterThanOrEqual(startS);
    expect(Number(claims?.["exp"]) - Number(claims?.["iat"])).toBe(3600);
    expect((await acme.ask("/v1/agents", { as: token })).status).toBe(200);
    expect((await acme.ask("/v1/usage", { as: token })).status).toBe(403);
  });

  it("F27: others verify it by the published keys", async () => {
    const { jwks_uri } = await acme.json<{ jwks_uri: string }>(
      "/.well-known/oauth-authorization-server",
      200,
      { as: null },
    );
    const { pathname } = new URL(jwks_uri);
    const { keys } = await acme.json<{ keys: { kid: string; alg: string }[] }>(pathname, 200);
    const token = await tokenOf(acme, client);
    const [header] = openedToken(token);
    const key = keys.find(({ kid }) => kid === header?.["kid"]);
    if (key === undefined) throw new Error("no such key");
    const verified = await compactVerify(token, await importJWK(key, key.alg));
    expect(verified.protectedHeader).toMatchObject({ kid: key.kid, alg: key.alg, typ: "at+jwt" });
  });

  it("a client says how long its tokens live, an hour at most", async () => {
    const brief = await newClient(acme, ["agents:read"], { token_lifetime_seconds: 60 });
    const [, claims] = openedToken(await tokenOf(acme, brief));
    expect(Number(claims?.["exp"]) - Number(claims?.["iat"])).toBe(60);
    const json = { name: "x", token_lifetime_seconds: 3601 };
    expect((await acme.ask("/v1/clients", { json })).status).toBe(422);
  });

  it("each token is in the trail, and itself nowhere", async () => {
    const token = await tokenOf(acme, client);
    const rows = await env.DB.prepare(
      "SELECT * FROM audit WHERE action = 'token.issued' AND actor_id = ?",
    )
      .bind(client.id)
      .all();
    expect(rows.results.length).toBeGreaterThan(0);
    expect(JSON.stringify(rows.results)).not.toContain(token.slice(-40));
  });
});

describe("F24: refusals of RFC 6749 §5.2", () => {
  const refused: readonly (readonly [string, () => Form | string, () => object, string])[] = [
    ["no grant type", () => ({ scope: "agents:read" }), mine, "invalid_request"],
    ["a grant type there is not", () => ({ grant_type: "magic" }), mine, "unsupported_grant_type"],
    [
      "a grant type of every object",
      () => ({ grant_type: "constructor" }),
      mine,
      "unsupported_grant_type",
    ],
    [
      "a scope that is none",
      () => ({ ...CLIENT_GRANT, scope: "agents:fly" }),
      mine,
      "invalid_scope",
    ],
    [
      "a scope that is not held",
      () => ({ ...CLIENT_GRANT, scope: "agents:read keys:write" }),
      mine,
      "invalid_scope",
    ],
    [
      "a scope of the platform's",
      () => ({ ...CLIENT_GRANT, scope: "tenants:read" }),
      mine,
      "invalid_scope",
    ],
    [
      "another host's token",
      () => ({ ...CLIENT_GRANT, resource: "https://elsewhere.example" }),
      mine,
      "invalid_target",
    ],
    [
      "two ways to authenticate",
      () => ({ ...CLIENT_GRANT, client_id: client.id, client_secret: client.secret }),
      mine,
      "invalid_request",
    ],
    [
      "a secret without a client",
      () => ({ ...CLIENT_GRANT, client_secret: client.secret }),
      () => ({}),
      "invalid_request",
    ],
    [
      "a parameter twice",
      () => "grant_type=client_credentials&scope=agents:read&scope=usage:read",
      mine,
      "invalid_request",
    ],
    [
      "a parameter twice, once without a value",
      () => "grant_type=client_credentials&grant_type=",
      mine,
      "invalid_request",
    ],
    ["half a percent", () => "grant_type=client_credentials&scope=%E0%A4", mine, "invalid_request"],
    ["a NUL", () => "grant_type=client_credentials&scope=%00", mine, "invalid_request"],
    ["no form", () => "", mine, "invalid_request"],
    ["too much", () => ({ ...CLIENT_GRANT, x: "y".repeat(40_000) }), mine, "invalid_request"],
  ];

  it.each(refused)("%s", async (_what, form, headers, error) => {
    expect(await asked(form(), { ...headers() })).toEqual([400, error]);
  });

  it("JSON, and parameters in the address", async () => {
    const json = { "content-type": "application/json" };
    const body = JSON.stringify(CLIENT_GRANT);
    expect(await asked(body, { ...mine(), ...json })).toEqual([400, "invalid_request"]);
    const inPath = await postForm(acme, "", mine(), "/auth/token?grant_type=client_credentials");
    expect(await outcome(inPath)).toEqual([400, "invalid_request"]);
  });

  it("a client that is not known: 401, and how to authenticate", async () => {
    const { id, secret } = client;
    const wrong = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;
    const others = await newClient(acme);
    for (const headers of [
      {},
      basic(id, wrong),
      basic(id, others.secret),
      basic("cli_00000000000000000000000000", secret),
      basic("cli_\0", secret),
      basic(id, acme.key),
      basic(id, "berth_cs_"),
      { authorization: `Basic ${btoa(id)}` },
      { authorization: `Basic ${btoa(`:${secret}`)}` },
      { authorization: "Basic !" },
      { authorization: `Bearer ${acme.key}` },
    ]) {
      const answer = await postForm(acme, CLIENT_GRANT, { ...headers });
      expect(answer.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
      expect(await outcome(answer)).toEqual([401, "invalid_client"]);
    }
    const posted = { ...CLIENT_GRANT, client_id: id, client_secret: wrong };
    expect(await asked(posted)).toEqual([401, "invalid_client"]);
  });

  it("F29: too many from one address are refused, another is served", async () => {
    vi.useFakeTimers({ now: Date.now(), toFake: ["Date"] });
    const address = { "cf-connecting-ip": "203.0.113.7" };
    let refusedAt = 0;
    let last: Response | undefined;
    for (let n = 1; n <= 121 && refusedAt === 0; n += 1) {
      last = await postForm(acme, { grant_type: "magic" }, address);
      if (last.status === 429) refusedAt = n;
      else await last.text();
    }
    expect(refusedAt).toBe(121);
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await last?.json()).toMatchObject({ error: "temporarily_unavailable" });
    const elsewhere = { ...mine(), "cf-connecting-ip": "203.0.113.8" };
    expect((await asked(CLIENT_GRANT, elsewhere))[0]).toBe(200);
  });
});

describe("F27: documents", () => {
  it("say where tokens are had, at this very host", async () => {
    const document = await acme.json("/.well-known/oauth-authorization-server", 200, { as: null });
    expect(document).toMatchObject({
      issuer: acme.origin,
      token_endpoint: `${acme.origin}/auth/token`,
      grant_types_supported: expect.arrayContaining(["client_credentials"]),
    });
  });

  it("are not the platform's", async () => {
    const path = "/.well-known/oauth-authorization-server";
    expect((await request("http://localhost", path)).status).toBe(404);
  });
});

describe("F21: revocation", () => {
  const revoke = (form: Form) => postForm(acme, form, {}, "/auth/revoke");

  it("of what is no token is done already; of an access token it is told", async () => {
    expect((await revoke({ token: "berth_refresh_nothing" })).status).toBe(200);
    const token = await tokenOf(acme, client);
    expect(await outcome(await revoke({ token }))).toEqual([400, "unsupported_token_type"]);
    expect(await outcome(await revoke({}))).toEqual([400, "invalid_request"]);
  });
});
