import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { CompactSign, type CryptoKey, exportJWK, exportSPKI, generateKeyPair } from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { app } from "../../workers/app.ts";
import { OIDC } from "../fixtures/oidc.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeEach(async () => {
  ({ acme, globex } = await newWorld());
});
// The files that come after this one share its isolate, and its clock.
afterEach(() => {
  vi.useRealTimers();
});

const OUTSIDE = "https://auth.customer.example";
const SHARED = "a-secret-that-both-sides-know-and-nobody-else";
const FAR = `http://127.0.0.1:${env.TEST_HTTP_PORT}`;

type Claims = Readonly<Record<string, unknown>>;
type Made = { readonly id: string; readonly revision: number };

const READS = [{ claim: "role", values: ["reader"], scopes: ["agents:read"] }];
const SHARED_ISSUER = {
  name: "Customer",
  issuer: OUTSIDE,
  audience: "berth",
  alg: "HS256",
  shared_secret: SHARED,
  mappings: READS,
};

const register = (tenant: TestTenant, more: object = {}) =>
  tenant.json<Made>("/v1/issuers", 201, { json: { ...SHARED_ISSUER, ...more } });

function claimsOf(more: Claims = {}): Claims {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: OUTSIDE,
    aud: "berth",
    sub: "user-7",
    sessionId: "s-1",
    email: "u@customer.example",
    name: "U",
    role: "reader",
    iat: now,
    exp: now + 600,
    ...more,
  };
}

/** A token of the customer's; claims and header as said, whatever they are. */
function signed(
  claims: Claims | string = claimsOf(),
  header: Claims = {},
  key: CryptoKey | Uint8Array = new TextEncoder().encode(SHARED),
): Promise<string> {
  const text = typeof claims === "string" ? claims : JSON.stringify(claims);
  return new CompactSign(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: "HS256", ...header })
    .sign(key);
}

/** What a token is worth: the code it is refused with, or who it is. */
async function worth(token: string, tenant = acme): Promise<string> {
  const answer = await tenant.ask("/v1/agents", { as: token });
  if (answer.status === 200) return "reads";
  return (await answer.json<{ code: string }>()).code;
}

const change = (id: string, revision: number, json: object) =>
  acme.json<Made>(`/v1/issuers/${id}`, 200, {
    method: "PATCH",
    headers: { "if-match": `"${revision}"` },
    json,
  });

describe("F41: a tenant's own issuer", () => {
  it("with a shared secret: its people come in, by the rules alone", async () => {
    expect(await worth(await signed())).toBe("invalid_token");
    await register(acme);
    expect(await worth(await signed())).toBe("reads");
    const other = await signed(claimsOf({ role: "writer" }));
    expect(await worth(other)).toBe("forbidden");
    const me = await acme.json("/v1/users/me", 200, { as: await signed() });
    expect(me).toMatchObject({
      principal: { kind: "user", id: `${OUTSIDE}#user-7` },
      person: { email: "u@customer.example", name: "U", session_id: "s-1" },
      user: null,
    });
  });

  it("roles and scopes by claims, and a role for everybody else", async () => {
    const mappings = [
      ...READS,
      { claim: "/realm/roles", values: ["ops"], role: "operator" },
      { claim: "scope", values: ["usage"], scopes: ["usage:read"] },
    ];
    await register(acme, { mappings, default_role: "invoker" });
    const scopesOf = async (more: Claims) => {
      const as = await signed(claimsOf({ role: undefined, ...more }));
      const { principal } = await acme.json<{ principal: { scopes: string[] } }>(
        "/v1/users/me",
        200,
        { as },
      );
      return principal.scopes;
    };
    expect(await scopesOf({ role: ["x", "reader"] })).toEqual(["agents:read"]);
    expect(await scopesOf({ scope: "a usage" })).toEqual(["usage:read"]);
    expect(await scopesOf({ realm: { roles: ["ops"] } })).toContain("providers:write");
    expect(await scopesOf({})).toEqual(["agents:invoke", "external-agents:invoke"]);
  });

  it("by public keys at an address, with the algorithm pinned", async () => {
    const { id } = await withKeys("RS256");
    expect(await worth(await signed(claimsOf(), { alg: "RS256", kid: "k" }, rsa.privateKey))).toBe(
      "reads",
    );
    const pss = await asPss();
    expect(await worth(await signed(claimsOf(), { alg: "PS256", kid: "k" }, pss))).toBe(
      "invalid_token",
    );
    const shown = await acme.json(`/v1/issuers/${id}`, 200);
    expect(shown).toMatchObject({ has_shared_secret: false, alg: "RS256" });
  });

  it("F20: what it says of the tenant must be this one, where it says anything", async () => {
    const { id, revision } = await register(acme);
    expect(await worth(await signed(claimsOf({ workspaceId: acme.slug })))).toBe("reads");
    expect(await worth(await signed(claimsOf({ workspaceId: acme.id })))).toBe("reads");
    expect(await worth(await signed(claimsOf({ workspaceId: globex.id })))).toBe("invalid_token");
    expect(await worth(await signed(claimsOf({ workspaceId: 7 })))).toBe("invalid_token");
    const named = { tenant_claim: "org", tenant_value: "org_4711" };
    await change(id, revision, named);
    expect(await worth(await signed(claimsOf({ org: "org_4711" })))).toBe("reads");
    expect(await worth(await signed(claimsOf({ org: acme.slug })))).toBe("invalid_token");
  });

  it("F12: registered by two tenants stays two: secret, rules and all", async () => {
    await register(acme);
    await register(globex, { shared_secret: "another-secret-of-another-tenant-here" });
    expect(await worth(await signed(), acme)).toBe("reads");
    expect(await worth(await signed(), globex)).toBe("invalid_token");
    await globex.json("/v1/issuers", 409, { json: SHARED_ISSUER });
  });

  it("G10: changed, disabled or deleted, its tokens follow", async () => {
    const { id } = await register(acme);
    const token = await signed();
    expect(await worth(token)).toBe("reads");
    await change(id, 1, { enabled: false });
    expect(await worth(token)).toBe("invalid_token");
    await change(id, 2, { enabled: true, mappings: [] });
    expect(await worth(token)).toBe("forbidden");
    await change(id, 3, { mappings: READS, shared_secret: "x".repeat(40) });
    expect(await worth(token)).toBe("invalid_token");
    const headers = { "if-match": '"4"' };
    expect((await acme.ask(`/v1/issuers/${id}`, { method: "DELETE", headers })).status).toBe(204);
    expect(await worth(await signed(claimsOf(), {}, new Uint8Array(40).fill(120)))).toBe(
      "invalid_token",
    );
  });
});

describe("F43: games with tokens of a tenant's issuer", () => {
  const b64 = (value: unknown) =>
    btoa(JSON.stringify(value)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  it("no signature, none of the right algorithm, none of the right key", async () => {
    await register(acme);
    const [head, body, signature] = (await signed()).split(".");
    const other = await signed(claimsOf(), {}, new Uint8Array(32).fill(7));
    for (const token of [
      `${head}.${body}.`,
      `${b64({ alg: "none" })}.${body}.`,
      `${b64({ alg: "None", typ: "JWT" })}.${body}.${signature}`,
      `${b64({ alg: "HS512" })}.${body}.${signature}`,
      other,
      `${head}.${b64(claimsOf({ role: "reader", sub: "admin" }))}.${signature}`,
      `${head}.${body}.${signature}=`,
    ]) {
      expect(await worth(token)).toBe("invalid_token");
    }
  });

  it("F43: a shared secret that is the text of the public key (RS to HS)", async () => {
    await withKeys("RS256");
    const pem = await exportSPKI(rsa.publicKey);
    const jwk = JSON.stringify(await exportJWK(rsa.publicKey));
    for (const text of [pem, pem.trim(), jwk]) {
      const key = new TextEncoder().encode(text);
      expect(await worth(await signed(claimsOf(), { kid: "k" }, key))).toBe("invalid_token");
    }
  });

  it("a header that brings or names its own key", async () => {
    await withKeys("RS256");
    const mine = await generateKeyPair("RS256", { extractable: true });
    const jwk = await exportJWK(mine.publicKey);
    for (const extra of [
      { jwk },
      { jku: `${FAR}/jwks-mine` },
      { x5u: `${FAR}/x5u` },
      { x5c: ["AAAA"] },
      { kid: "../../k" },
      { kid: "k\u0000" },
      { kid: "none-such" },
    ]) {
      const header = b64({ alg: "RS256", kid: "k", ...extra });
      const body = b64(claimsOf());
      const text = new TextEncoder().encode(`${header}.${body}`);
      const bytes = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", mine.privateKey, text);
      const signature = btoa(String.fromCharCode(...new Uint8Array(bytes)));
      const url = signature.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      expect(await worth(`${header}.${body}.${url}`)).toBe("invalid_token");
    }
  });

  it("what is wrong with its claims is told to nobody", async () => {
    await register(acme);
    const now = Math.floor(Date.now() / 1000);
    for (const [what, more] of [
      ["another audience", { aud: "other" }],
      ["no audience", { aud: undefined }],
      ["another issuer", { iss: "https://evil.example" }],
      ["this very host as the issuer", { iss: "http://acme.localhost" }],
      ["nobody", { sub: undefined }],
      ["a name with a NUL", { sub: "a\u0000b" }],
      ["no beginning", { iat: undefined }],
      ["no end", { exp: undefined }],
      ["more than an hour", { exp: now + 7200 }],
      ["a beginning an hour ahead", { iat: now + 3000 }],
      ["not valid yet", { nbf: now + 300 }],
    ] as const) {
      expect([what, await worth(await signed(claimsOf(more)))]).toEqual([what, "invalid_token"]);
    }
  });

  it("a claim twice, and a token larger than any", async () => {
    await register(acme);
    const twice = JSON.stringify(claimsOf()).replace("{", '{"role":"x",');
    expect(await worth(await signed(twice))).toBe("invalid_token");
    const huge = await signed(claimsOf({ padding: "x".repeat(9000) }));
    expect(await worth(huge)).toBe("invalid_token");
  });

  it("F42: past its end it says so, in the agreed words", async () => {
    await register(acme);
    const now = Math.floor(Date.now() / 1000);
    const token = await signed(claimsOf({ iat: now - 600, exp: now - 60 }));
    const expired = await acme.ask("/v1/agents", { as: token });
    expect(expired.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await expired.json()).toMatchObject({
      code: "token_expired",
      legacy_code: "TOKEN_EXPIRED",
    });
    const none = await acme.ask("/v1/agents", { as: null });
    expect(await none.json()).toMatchObject({ legacy_code: "AUTH_ERROR" });
    const wrong = await acme.ask("/v1/agents", { as: `${token}x` });
    expect(await wrong.json()).toMatchObject({ legacy_code: "INVALID_TOKEN" });
    expect([expired.status, none.status, wrong.status]).toEqual([401, 401, 401]);
  });

  it("F213: the claims of the first platforms and their codes go together", async () => {
    await register(acme, { tenant_claim: "workspaceId", mappings: [], default_role: "viewer" });
    const session = claimsOf({ workspaceId: acme.slug, role: undefined });
    expect(await worth(await signed(session))).toBe("reads");
    const other = await acme.ask("/v1/agents", {
      as: await signed({ ...session, workspaceId: "elsewhere" }),
    });
    expect(await other.json()).toMatchObject({ legacy_code: "INVALID_TOKEN" });
  });

  it("says so when its keys cannot be had", async () => {
    await register(acme, keysAt(`${FAR}/status-503/none`));
    const token = await signed(claimsOf(), { alg: "RS256", kid: "k" }, rsa.privateKey);
    expect(await worth(token)).toBe("overloaded");
  });
});

describe("F41: what may be registered", () => {
  const refused = async (more: object, as?: string) => {
    const json = { ...SHARED_ISSUER, ...more };
    const answer = await acme.ask("/v1/issuers", { json, ...(as === undefined ? {} : { as }) });
    const { code, errors } = await answer.json<{ code: string; errors?: { pointer: string }[] }>();
    return [code, errors?.[0]?.pointer];
  };

  it("F194: no keys at an inside address, and no issuer that is this platform", async () => {
    for (const url of [
      "http://127.0.0.1:1/jwks",
      "https://10.0.0.1/jwks",
      "https://a.internal/k",
    ]) {
      expect(await refused(keysAt(url))).toEqual(["invalid", "/jwks_uri"]);
    }
    expect(await refused({ issuer: "http://acme.localhost:8787" })).toEqual(["invalid", "/issuer"]);
  });

  it("F43: HS256 with a secret, all else with keys, never both", async () => {
    expect((await refused({ alg: "RS256" }))[0]).toBe("invalid");
    expect((await refused({ jwks_uri: "https://id.example.com/jwks" }))[0]).toBe("invalid");
    expect((await refused({ alg: "none" }))[0]).toBe("invalid");
    expect(await refused({ shared_secret: "short" })).toEqual(["invalid", "/shared_secret"]);
    const { id } = await register(acme);
    const headers = { "if-match": '"1"' };
    const json = { jwks_uri: "https://id.example.com/jwks" };
    const mixed = await acme.ask(`/v1/issuers/${id}`, { method: "PATCH", headers, json });
    expect(mixed.status).toBe(422);
  });

  it("no rule that brings more than its maker holds, nor a role there is not", async () => {
    const as = await newKey(acme, { scopes: ["issuers:write", "agents:read"] });
    expect(await refused({ mappings: [{ ...READS[0], scopes: ["keys:write"] }] }, as)).toEqual([
      "forbidden",
      "/mappings/0",
    ]);
    expect(await refused({ default_role: "admin" }, as)).toEqual(["forbidden", "/default_role"]);
    expect(await refused({ default_role: "none-such" })).toEqual(["invalid", "/default_role"]);
    const { id } = await register(acme, { default_role: "admin" });
    // Whoever sets the secret of an issuer is anybody it lets in.
    const headers = { "if-match": '"1"' };
    const json = { shared_secret: "m".repeat(40) };
    const path = `/v1/issuers/${id}`;
    const taken = await acme.ask(path, { as, method: "PATCH", headers, json });
    expect(taken.status).toBe(403);
    const weaker = { json: { default_role: null } };
    const weakened = await acme.ask(path, { as, method: "PATCH", headers, ...weaker });
    expect(weakened.status).toBe(403);
    expect((await acme.ask(path, { as, method: "DELETE", headers })).status).toBe(403);
    expect((await acme.ask(path, { method: "DELETE", headers })).status).toBe(204);
  });

  it("its secret is sealed, and shown to nobody", async () => {
    const made = await register(acme);
    const rows = JSON.stringify((await env.DB.prepare("SELECT * FROM issuer").all()).results);
    const trail = JSON.stringify((await env.DB.prepare("SELECT * FROM audit").all()).results);
    const listed = await (await acme.ask("/v1/issuers")).text();
    for (const text of [rows, trail, listed, JSON.stringify(made)]) {
      expect(text).not.toContain(SHARED);
    }
    expect(rows).toMatch(/"sealed_secret":"v2\./);
  });
});

describe("F41: a warm token", () => {
  let queries = 0;
  const counted = (db: D1Database): D1Database =>
    new Proxy(db, {
      get(target, name) {
        if (name === "prepare" || name === "batch") queries += 1;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });

  it("asks the control plane nothing, and a stranger's no more than once", async () => {
    await register(acme);
    const warm = { ...env, CREDENTIAL_CACHE_MS: "5000", DB: counted(env.DB) };
    const ask = async (as: string) => {
      const headers = { host: "acme.localhost", authorization: `Bearer ${as}` };
      const request = new Request("http://acme.localhost/v1/users/me", { headers });
      const answer = await app.fetch(request, warm, createExecutionContext());
      await answer.text();
      return answer.status;
    };
    const token = await signed();
    expect(await ask(token)).toBe(200);
    queries = 0;
    for (let n = 0; n < 5; n += 1) expect(await ask(token)).toBe(200);
    const strangers = [1, 2, 3].map((n) => signed(claimsOf({ iss: `https://x${n}.example` })));
    for (const stranger of await Promise.all(strangers)) expect(await ask(stranger)).toBe(401);
    expect(queries).toBe(0);
    vi.useFakeTimers({ now: Date.now() + 5000, toFake: ["Date"] });
    expect(await ask(token)).toBe(200);
    expect(queries).toBeGreaterThan(0);
  });

  it("G10: what changed elsewhere is believed for at most five seconds", async () => {
    await register(acme);
    const warm = { ...env, CREDENTIAL_CACHE_MS: "5000", DB: counted(env.DB) };
    const token = await signed();
    const ask = async () => {
      const headers = { host: "acme.localhost", authorization: `Bearer ${token}` };
      const request = new Request("http://acme.localhost/v1/users/me", { headers });
      return (await app.fetch(request, warm, createExecutionContext())).status;
    };
    const startMs = Date.now();
    vi.useFakeTimers({ now: startMs, toFake: ["Date"] });
    expect(await ask()).toBe(200);
    vi.setSystemTime(startMs + 4000);
    expect(await ask()).toBe(200);
    await env.DB.prepare("UPDATE issuer SET enabled = 0, revision = 2").run();
    vi.setSystemTime(startMs + 5000);
    expect(await ask()).toBe(401);
  });
});

const rsa = await generateKeyPair("RS256", { extractable: true });

const keysAt = (jwks_uri: string) => ({ alg: "RS256", shared_secret: undefined, jwks_uri });

/** The customer's issuer with keys that the far side publishes. */
async function withKeys(alg: "RS256"): Promise<Made> {
  const keys = [{ ...(await exportJWK(rsa.publicKey)), kid: "k", use: "sig", alg }];
  const url = `${OIDC}/__keys`;
  await (await fetch(url, { method: "POST", body: JSON.stringify({ keys }) })).text();
  return register(acme, keysAt(url));
}

async function asPss(): Promise<CryptoKey> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", rsa.privateKey);
  if (!(pkcs8 instanceof ArrayBuffer)) throw new Error("not bytes");
  const algorithm = { name: "RSA-PSS", hash: "SHA-256" };
  return crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
}

describe("a role that a way to sign in names", () => {
  it("is not deleted: who comes that way would hold whatever is made under its name", async () => {
    const { acme } = await newWorld();
    const statements = [{ effect: "allow", scopes: ["agents:read"] }];
    const json = { slug: "outsider", name: "Outsider", statements };
    await acme.json("/v1/roles", 201, { json });
    const rule = { claim: "role", values: ["x"], scopes: [], role: "outsider" };
    await register(acme, { mappings: [rule] });
    const headers = { "if-match": '"1"' };
    const refused = await acme.ask("/v1/roles/outsider", { method: "DELETE", headers });
    expect(refused.status).toBe(409);
    expect((await acme.ask("/v1/roles/outsider")).status).toBe(200);
  });
});
