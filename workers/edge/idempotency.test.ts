import { beforeEach, describe, expect, it } from "vitest";
import { Problem } from "../../core/problem.ts";
import { newWorld, type World } from "../../tests/fixtures/world.ts";
import { fingerprintOf, idempotencyKeyOf } from "./idempotency.ts";

const keyOf = (key: string) => idempotencyKeyOf(new Headers({ "idempotency-key": key }));

describe("Idempotency-Key", () => {
  it.each([
    ["bare", "bare"],
    ['"quoted"', "quoted"],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ["x".repeat(255), "x".repeat(255)],
    ["8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"],
  ])("%s is %s", (given, key) => {
    expect(keyOf(given)).toBe(key);
  });

  it.each([
    "",
    '""',
    "x".repeat(256),
    "a b",
    '"a b"',
    '"open',
    'open"',
    '"a"b"',

    '"\\x"',
  ])("%j is malformed", (given) => {
    expect(() => keyOf(given)).toThrow(Problem);
  });

  it("is not there when it is not there", () => {
    expect(idempotencyKeyOf(new Headers())).toBeUndefined();
  });
});

it("a fingerprint is of what was asked, not of how it was written", () => {
  const of = (body: unknown) => fingerprintOf("POST", "/v1/agents", body);
  expect(of({ a: 1, b: [1, 2] })).toBe(of({ b: [1, 2], a: 1.0 }));
  expect(of({ a: 1 })).not.toBe(of({ a: 2 }));
  expect(of({ a: 1 })).not.toBe(of({ a: "1" }));
  expect(of([1, 2])).not.toBe(of([2, 1]));
  expect(of(null)).not.toBe(fingerprintOf("POST", "/v1/keys", null));
  expect(of({})).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

describe("a POST on the control plane with a key", () => {
  let world: World;
  beforeEach(async () => {
    world = await newWorld();
  });
  const agent = (slug: string) => ({ slug, name: slug });
  const post = (json: unknown, key: string, more: object = {}) =>
    world.acme.ask("/v1/agents", { json, headers: { "idempotency-key": key }, ...more });
  const agents = async () =>
    (await world.acme.json<{ data: unknown[] }>("/v1/agents", 200)).data.length;

  it("G4: is done once and answered again, headers and all", async () => {
    const first = await post(agent("one"), '"k1"');
    const again = await post({ name: "one", slug: "one" }, "k1");
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(first.headers.has("idempotency-replayed")).toBe(false);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(again.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(await again.json()).toEqual(await first.json());
    expect(await agents()).toBe(1);
  });

  it("G4: with another body is 422, and changes nothing", async () => {
    await (await post(agent("one"), "k1")).text();
    const other = await post(agent("two"), "k1");
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: "idempotency_mismatch" });
    expect(await agents()).toBe(1);
  });

  it("G4: sent many times at once is done once; the others are told, or answered alike", async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => post(agent("one"), "k1")));
    const told = all.map(async (answer) => {
      const { code } = await answer.json<{ code?: string }>();
      return [answer.status, code, answer.headers.get("retry-after")].join(" ");
    });
    const kinds = new Set(await Promise.all(told));
    kinds.delete("409 idempotency_in_progress 1");
    expect(kinds).toEqual(new Set(["201  "]));
    expect(await agents()).toBe(1);
    expect((await post(agent("one"), "k1")).status).toBe(201);
  });

  it("a refusal does not use the key up", async () => {
    expect((await post({ slug: "!" }, "k1")).status).toBe(422);
    expect((await post(agent("one"), "k1", { as: null })).status).toBe(401);
    expect((await post(agent("one"), "k1")).status).toBe(201);
    expect((await post(agent("two"), "k2")).status).toBe(201);
    expect((await post(agent("two"), "k3")).status).toBe(409);
    expect(await agents()).toBe(2);
  });

  it("G7: another tenant's key of the same name is another key", async () => {
    await (await post(agent("one"), "k1")).text();
    const json = agent("one");
    const theirs = await world.globex.ask("/v1/agents", {
      json,
      headers: { "idempotency-key": "k1" },
    });
    expect(theirs.status).toBe(201);
    expect(theirs.headers.has("idempotency-replayed")).toBe(false);
  });

  it("a malformed key is refused before anything is done", async () => {
    const answer = await post(agent("one"), "a b");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "bad_request",
      errors: [{ pointer: "Idempotency-Key" }],
    });
    expect(await agents()).toBe(0);
  });

  it("F25: the making of a key is answered again without its secret", async () => {
    const json = { name: "ci", scopes: ["agents:read"] };
    const headers = { "idempotency-key": "mint" };
    const first = await world.acme.json<{ id: string; secret: string }>("/v1/keys", 201, {
      json,
      headers,
    });
    const again = await world.acme.json<{ id: string; secret: null }>("/v1/keys", 201, {
      json,
      headers,
    });
    expect(first.secret).toMatch(/^berth_live_/);
    expect(again).toEqual({ ...first, secret: null });
  });
});
