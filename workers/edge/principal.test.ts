/** Who a request acts as, through the whole Worker. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { makeKey, parseKey } from "../../core/keys/format.ts";
import {
  askPlatform,
  type Ask,
  newCookie,
  newKey,
  newToken,
  newWorld,
  request,
  shapeOf,
  type TestTenant,
  type World,
} from "../../tests/fixtures/world.ts";

let world: World;
beforeEach(async () => {
  world = await newWorld();
});

const me = (tenant: TestTenant, options: Ask = {}) => tenant.ask("/v1/users/me", options);

async function codeOf(answer: Response): Promise<string> {
  if (answer.ok) return `${answer.status}`;
  return (await answer.json<{ code: string }>()).code;
}

/** The key with one thing about it changed, its check sum made right again. */
function forged(key: string, change: { readonly id?: string; readonly secret?: string }): string {
  const parsed = parseKey(key);
  if (parsed === undefined) throw new Error("not a key");
  return makeKey({ id: change.id ?? parsed.keyId, secret: change.secret ?? parsed.secret });
}

describe("F31: an API key", () => {
  it("is taken from Authorization or from x-api-key", async () => {
    expect((await me(world.acme)).status).toBe(200);
    const headers = { "x-api-key": world.acme.key };
    expect((await me(world.acme, { as: null, headers })).status).toBe(200);
    const lower = { authorization: `bearer ${world.acme.key}` };
    expect((await me(world.acme, { as: null, headers: lower })).status).toBe(200);
  });

  it("is refused beside another credential", async () => {
    const headers = { "x-api-key": world.acme.key };
    expect(await codeOf(await me(world.acme, { headers }))).toBe("bad_request");
  });

  it("in another scheme, or with more to it, is none", async () => {
    const { key } = world.acme;
    for (const authorization of [
      key,
      `Basic ${btoa(`${key}:`)}`,
      `Bearer ${key} x`,
      `Bearer ${key}, Bearer ${key}`,
      "Bearer",
    ]) {
      const answer = await me(world.acme, { as: null, headers: { authorization } });
      expect(await codeOf(answer)).toBe("invalid_token");
    }
  });

  it("with anything about it changed opens nothing", async () => {
    const { key } = world.acme;
    const other = "A".repeat(43);
    for (const as of [
      key.slice(0, -1),
      `${key}0`,
      key.toUpperCase(),
      key.replace("live", "test"),
      `${key.slice(0, -1)}${key.endsWith("0") ? "1" : "0"}`,
      forged(key, { secret: other }),
      forged(key, { id: "key_00000000000000000000000000" }),
      forged(key, { id: world.globex.keyId }),
    ]) {
      expect(await codeOf(await me(world.acme, { as }))).toBe("invalid_token");
    }
  });

  it("G7: of another tenant is answered byte for byte like one that never existed", async () => {
    const theirs = await shapeOf(await me(world.acme, { as: world.globex.key }));
    const secret = "B".repeat(43);
    const nobodys = makeKey({ id: "key_00000000000000000000000000", secret });
    expect(theirs).toEqual(await shapeOf(await me(world.acme, { as: nobodys })));
    const wrongSecret = forged(world.globex.key, { secret });
    expect(theirs).toEqual(await shapeOf(await me(world.acme, { as: wrongSecret })));
    expect(theirs.status).toBe(401);
  });

  it("G10: revoked, says so to its holder alone", async () => {
    const secret = await newKey(world.acme);
    const keyId = parseKey(secret)?.keyId;
    expect((await me(world.acme, { as: secret })).status).toBe(200);
    await world.acme.json(`/v1/keys/${keyId}/revoke`, 200, { method: "POST" });
    expect(await codeOf(await me(world.acme, { as: secret }))).toBe("key_revoked");
    expect(await codeOf(await me(world.globex, { as: secret }))).toBe("invalid_token");
    const guessed = forged(secret, { secret: "C".repeat(43) });
    expect(await codeOf(await me(world.acme, { as: guessed }))).toBe("invalid_token");
  });

  it("F31: past its end is token_expired", async () => {
    const json = {
      name: "short",
      scopes: ["agents:read"],
      expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    };
    const made = await world.acme.json<{ id: string; secret: string }>("/v1/keys", 201, { json });
    expect((await world.acme.ask("/v1/agents", { as: made.secret })).status).toBe(200);
    const past = env.DB.prepare("UPDATE key SET expires_at_ms = ? WHERE id = ?");
    await past.bind(Date.now() - 1, made.id).run();
    expect(await codeOf(await world.acme.ask("/v1/agents", { as: made.secret }))).toBe(
      "token_expired",
    );
  });

  it("F32: without the route's scope is 403, and the scope is named", async () => {
    const as = await newKey(world.acme, { scopes: ["agents:read"] });
    const answer = await world.acme.ask("/v1/keys", { as });
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: "forbidden" });
  });
});

describe("the platform's key", () => {
  it("opens the platform's host, and is nobody's key at a tenant's", async () => {
    expect((await askPlatform("/v1/tenants")).status).toBe(200);
    expect(await codeOf(await me(world.acme, { as: env.PLATFORM_KEY }))).toBe("invalid_token");
  });

  it("is the whole key, not a part of it, nor a tenant's key, nor its cookie", async () => {
    const key = env.PLATFORM_KEY;
    for (const as of [key.slice(0, -1), `${key}x`, world.acme.key, await newToken(world.acme)]) {
      expect(await codeOf(await askPlatform("/v1/tenants", { as }))).toBe("invalid_token");
    }
    const cookie = await newCookie(world.acme);
    const answer = await askPlatform("/v1/tenants", { as: null, headers: { cookie } });
    expect(await codeOf(answer)).toBe("invalid_token");
  });
});

describe("F27: a token", () => {
  it("F43: is good at its own tenant's host alone", async () => {
    const as = await newToken(world.acme);
    expect((await me(world.acme, { as })).status).toBe(200);
    expect(await codeOf(await me(world.globex, { as }))).toBe("invalid_token");
  });

  it("G10: minted for a key ends with the key", async () => {
    const as = await newToken(world.acme);
    const admin = await newKey(world.acme);
    expect((await me(world.acme, { as })).status).toBe(200);
    const path = `/v1/keys/${world.acme.keyId}/revoke`;
    expect((await world.acme.ask(path, { method: "POST", as: admin })).status).toBe(200);
    expect(await codeOf(await me(world.acme, { as }))).toBe("key_revoked");
  });

  it("F43: unsigned, is refused by the server itself", async () => {
    const [header = "", payload = ""] = (await newToken(world.acme)).split(".");
    const none = btoa(JSON.stringify({ alg: "none", typ: "at+jwt" })).replaceAll("=", "");
    for (const as of [`${header}.${payload}.`, `${none}.${payload}.`, `${none}.${payload}.AA`]) {
      expect(await codeOf(await me(world.acme, { as }))).toBe("invalid_token");
    }
  });
});

describe("the console's cookie", () => {
  const read = (cookie: string, headers: Record<string, string> = {}) =>
    me(world.acme, { as: null, headers: { cookie, ...headers } });

  it("reads without an Origin, and writes only with this host's", async () => {
    const cookie = await newCookie(world.acme);
    expect((await read(cookie)).status).toBe(200);
    const write = (headers: Record<string, string>) =>
      world.acme.ask("/v1/agents", {
        as: null,
        json: { slug: "one", name: "One" },
        headers: { cookie, ...headers },
      });
    for (const headers of [
      {},
      { origin: "null" },
      { origin: "http://globex.localhost" },
      { origin: "https://acme.localhost" },
      { origin: "http://acme.localhost:8787" },
      { origin: "http://acme.localhost.evil.example" },
    ]) {
      expect(await codeOf(await write(headers))).toBe("origin_refused");
    }
    expect((await write({ origin: world.acme.origin })).status).toBe(201);
  });

  it("opens no socket from another page", async () => {
    const cookie = await newCookie(world.acme);
    const headers = { upgrade: "websocket", origin: "http://evil.example" };
    expect(await codeOf(await read(cookie, headers))).toBe("origin_refused");
  });

  it("cannot be sent as a form", async () => {
    const cookie = await newCookie(world.acme);
    const answer = await request(world.acme.origin, "/v1/agents", {
      method: "POST",
      headers: {
        cookie,
        origin: world.acme.origin,
        "content-type": "application/x-www-form-urlencoded",
      },
    });
    expect(answer.status).toBe(415);
    await answer.text();
  });

  it("twice in one request is refused, whichever is right", async () => {
    const cookie = await newCookie(world.acme);
    const [name] = cookie.split("=");
    for (const both of [`${cookie}; ${name}=${"x".repeat(43)}`, `${cookie}; ${cookie}`]) {
      expect(await codeOf(await read(both))).toBe("invalid_token");
    }
  });

  it("of another tenant, made up or malformed is refused", async () => {
    const theirs = await newCookie(world.globex);
    const [name] = theirs.split("=");
    for (const cookie of [theirs, `${name}=${"x".repeat(43)}`, `${name}=`, `${name}=' or 1=1`]) {
      expect(await codeOf(await read(cookie))).toBe("invalid_token");
    }
  });

  it("loses to a header: a browser sends it unasked", async () => {
    const cookie = await newCookie(world.acme);
    const answer = await me(world.acme, { as: "nonsense", headers: { cookie } });
    expect(await codeOf(answer)).toBe("invalid_token");
  });

  it("G10: ends with the key it was made from", async () => {
    const cookie = await newCookie(world.acme);
    const admin = await newKey(world.acme);
    await world.acme.ask(`/v1/keys/${world.acme.keyId}/revoke`, { method: "POST", as: admin });
    expect(await codeOf(await read(cookie))).toBe("key_revoked");
  });

  it("has its unprefixed name on plain http alone", async () => {
    const { credentialOf, sessionCookieName } = await import("./credential.ts");
    const value = "v".repeat(43);
    const of = (origin: string, cookie: string) =>
      credentialOf(new Request(origin, { headers: { cookie } }), origin);
    expect(of("https://acme.example.com", `berth=${value}`)).toBeUndefined();
    expect(of("https://acme.example.com", `__Host-berth=${value}`)?.text).toBe(value);
    expect(of("http://acme.localhost", `berth=${value}`)?.text).toBe(value);
    expect(sessionCookieName("https://acme.example.com")).toBe("__Host-berth");
  });
});
