/** What people try with keys that are not theirs, or not keys. Each is a real request. */
import { beforeAll, describe, expect, it } from "vitest";
import { makeKey, parseKey, startOf } from "../../core/keys/format.ts";
import { mint, told } from "../fixtures/keys.ts";
import { type Ask, type TestTenant, newWorld, shapeOf } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

const read = (options: Ask, path = "/v1/agents") => acme.ask(path, { as: null, ...options });
const parsed = () => {
  const key = parseKey(acme.key);
  if (key === undefined) throw new Error("not a key");
  return key;
};

describe("F25: what is no key of this tenant", () => {
  const looksAlike: readonly [string, () => string][] = [
    ["another product's prefix", () => acme.key.replace("berth_", "birth_")],
    ["another mode's prefix", () => acme.key.replace("_live_", "_test_")],
    ["capital letters", () => acme.key.toUpperCase()],
    ["its start alone", () => startOf(acme.keyId)],
    ["its start and dots", () => `${startOf(acme.keyId)}_…`],
    ["a cut one", () => acme.key.slice(0, -1)],
    ["a longer one", () => `${acme.key}0`],
    ["itself twice", () => acme.key + acme.key],
    ["white space inside", () => `${acme.key.slice(0, 20)} ${acme.key.slice(20)}`],
    ["a tab before", () => `\t\t${acme.key.slice(1)}`],
    ["quotation marks", () => `"${acme.key}"`],
    ["percent encoding", () => acme.key.replaceAll("_", "%5F")],
    ["dashes for lines", () => acme.key.replaceAll("_", "-")],
    ["an O for a zero, its check made right", () => changed((secret) => `O${secret.slice(1)}`)],
    ["the right id with another secret", () => changed(() => "0".repeat(43))],
    ["the secret reversed", () => changed((secret) => secret.split("").toReversed().join(""))],
    ["nobody's id", () => makeKey({ ...parsed(), id: "key_00000000000000000000000000" })],
    ["another tenant's id with our secret", () => makeKey({ ...parsed(), id: globex.keyId })],
    ["another tenant's key", () => globex.key],
    ["a hash instead of the secret", () => changed(() => "u".repeat(43))],
    ["a wildcard", () => "*"],
    ["SQL", () => `berth_live_'OR'1'='1`],
    ["a Cyrillic letter", () => acme.key.replace("e", "е")],
    ["full-width digits", () => acme.key.replace(/\d/, "\uff10")],
    ["a zero-width space", () => `${acme.key}\u200b`],
    ["very long", () => `berth_live_${"x".repeat(7000)}`],
  ];

  function changed(change: (secret: string) => string): string {
    const { keyId, secret } = parsed();
    const other = change(secret);
    return makeKey({ id: keyId, secret: other === secret ? `1${other.slice(1)}` : other });
  }

  it.each(looksAlike)("%s: the one answer that every stranger gets", async (_what, make) => {
    const stranger = await shapeOf(await read({ as: changed(() => "7".repeat(43)) }));
    expect(stranger.status).toBe(401);
    const shape = await shapeOf(await read({ as: make() }));
    expect(shape).toEqual(stranger);
    const header = await read({ headers: { "x-api-key": make() } });
    expect(await shapeOf(header)).toEqual(stranger);
  });

  it("none at all, and an empty one", async () => {
    expect(await told(await read({}))).toEqual([401, "unauthenticated"]);
    expect(await told(await read({ headers: { "x-api-key": "" } }))).toEqual([
      401,
      "invalid_token",
    ]);
  });
});

describe("F31: where a key is looked for", () => {
  it("never in the address", async () => {
    for (const name of ["key", "api_key", "access_token", "token", "authorization"]) {
      const answer = await read({}, `/v1/users/me?${name}=${acme.key}`);
      expect((await told(answer))[0]).toBe(401);
    }
    const basic = new URL(`http://${acme.keyId}:${acme.key}@acme.localhost/`);
    const headers = { authorization: `Basic ${btoa(`${basic.username}:${basic.password}`)}` };
    expect(await told(await read({ headers }))).toEqual([401, "invalid_token"]);
  });

  it("never in a body, a cookie of its own, or another header", async () => {
    for (const headers of [
      { cookie: `key=${acme.key}` },
      { cookie: `berth=${acme.key}` },
      { "x-key": acme.key },
      { "x-access-token": acme.key },
      { "proxy-authorization": `Bearer ${acme.key}` },
    ]) {
      expect((await told(await read({ headers })))[0]).toBe(401);
    }
    const body = { slug: "x", name: "x", key: acme.key };
    expect((await told(await read({ json: body })))[0]).toBe(401);
  });

  it("in one place only: two credentials are refused, good or not", async () => {
    const { secret } = await mint(acme);
    for (const other of [secret, acme.key, globex.key, "nonsense"]) {
      const answer = await read({ as: acme.key, headers: { "x-api-key": other } });
      expect(await told(answer)).toEqual([400, "bad_request"]);
    }
  });
});

describe("F25: what a leak scanner goes by", () => {
  it("finds every key of ours and nothing that only looks like one", async () => {
    const pattern = /\bberth_live_[0-9a-z]{26}_[0-9A-Za-z]{49}\b/;
    const { secret, start } = await mint(acme);
    expect(pattern.exec(`key = "${secret}";`)?.[0]).toBe(secret);
    expect(pattern.test(start)).toBe(false);
    expect(pattern.test(secret.slice(0, -1))).toBe(false);
  });
});
