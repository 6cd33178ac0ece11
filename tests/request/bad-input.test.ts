/**
 * Hostile input on every route there is, from the route table itself: each refusal is a problem
 * document that says where, quickly, and nothing has changed (G14).
 */
import { MAX_UPLOAD_BYTES } from "../../core/knowledge/contract.ts";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { PROBLEMS } from "../../core/problem.ts";
import { app } from "../../workers/app.ts";
import type { HostedRoute } from "../../workers/edge/app.ts";
import { BODY_LIMIT, INVOKE_BODY_LIMIT } from "../../workers/edge/body.ts";
import { newPerson, tokenOf } from "../fixtures/people.ts";
import { deploy, newAgent, newWorld, PLATFORM_ORIGIN, type TestTenant } from "../fixtures/world.ts";

/** Bodies that may be larger than most. */
const LARGER: Readonly<Record<string, number>> = {
  "/v1/batches": INVOKE_BODY_LIMIT,
  "/v1/dead-letters/:id": INVOKE_BODY_LIMIT,
  "/v1/dead-letters/:id/redrive": INVOKE_BODY_LIMIT,
  "/v1/invocations/:id/fork": INVOKE_BODY_LIMIT,
  "/v1/invocations/:id/resume": INVOKE_BODY_LIMIT,
  "/v1/knowledge": MAX_UPLOAD_BYTES,
};

let acme: TestTenant;
let agentId: string;
let keyId: string;
let userToken: string;

beforeAll(async () => {
  ({ acme } = await newWorld());
  ({ id: agentId } = await newAgent(acme, "support"));
  await deploy(acme, agentId);
  const json = { name: "victim", scopes: ["agents:read"] };
  ({ id: keyId } = await acme.json<{ id: string }>("/v1/keys", 201, { json }));
  userToken = await tokenOf(acme, await newPerson(acme));
});

const routes = app.routes().filter(({ path }) => !path.endsWith("*"));
const nameOf = ({ host, method, path }: HostedRoute) => `${host} ${method} ${path}`;
const named = (chosen: readonly HostedRoute[]) =>
  chosen.map((route) => [nameOf(route), route] as const);
const withBody = routes.filter(({ json }) => json !== undefined);
const withParam = routes.filter(({ path }) => path.includes("/:"));

/** A path that leads to something that is there, as far as a route has one. */
function pathOf(route: HostedRoute, param?: string): string {
  const known = route.path.startsWith("/v1/keys") ? keyId : agentId;
  return route.path.replaceAll(/:[a-z]+/g, (name) =>
    param === undefined ? (name === ":number" ? "1" : known) : encodeURIComponent(param),
  );
}

type Sent = {
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
};

/** The request as the route's rightful caller would send it, but for what is wrong with it. */
async function send(route: HostedRoute, { body, headers = {}, path }: Sent): Promise<Response> {
  const { exports } = await import("cloudflare:workers");
  const origin = route.host === "platform" ? PLATFORM_ORIGIN : acme.origin;
  const all = new Headers({
    host: new URL(origin).host,
    authorization: `Bearer ${credentialFor(route)}`,
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...(route.header === undefined ? {} : { "if-match": '"1"' }),
    ...headers,
  });
  const { method } = route;
  return exports.default.fetch(
    new Request(origin + (path ?? pathOf(route)), { method, headers: all, body: body ?? null }),
  );
}

/** What is a user's own no key opens. */
function credentialFor({ host, path }: HostedRoute): string {
  if (host === "platform") return env.PLATFORM_KEY;
  return path.startsWith("/v1/users/me") ? userToken : acme.key;
}

/** Every row of the control plane. */
async function everything(): Promise<string> {
  const tables = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'd1\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
  ).all<{ name: string }>();
  const rows = tables.results.map(async ({ name }) => {
    const { results } = await env.DB.prepare(`SELECT * FROM "${name}" ORDER BY 1, 2`).all();
    // The tenant's gate chains what was written before, when it comes to it.
    if (name === "audit_checkpoint") return [name];
    const own = results.map(({ seq: _seq, previous_hash: _previous, hash: _hash, ...row }) => row);
    return [name, name === "audit" ? own : results];
  });
  return JSON.stringify(await Promise.all(rows));
}

/** A refusal in the one form: a code of the closed list, its status, and a place. */
async function refusal(answer: Response) {
  const document = await answer.json<{
    code: keyof typeof PROBLEMS;
    status: number;
    errors?: { pointer: string; detail: string }[];
  }>();
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.status).toBe(PROBLEMS[document.code].status);
  expect(document.status).toBe(answer.status);
  return { status: answer.status, code: document.code, pointers: document.errors };
}

const bytes = (...values: number[]) => Uint8Array.from([0x7b, 0x22, ...values, 0x22, 0x7d]);

const MALFORMED: readonly (readonly [string, BodyInit])[] = [
  ["nothing", ""],
  ["half an object", '{"a":'],
  ["a trailing comma", '{"a":1,}'],
  ["two values", "{} {}"],
  ["single quotes", "{'a':1}"],
  ["NaN", '{"a":NaN}'],
  ["a comment", "{/* */}"],
  ["65 levels", "[".repeat(65) + "]".repeat(65)],
  ["100,000 levels", "[".repeat(100_000)],
  ["bytes that are not UTF-8", bytes(0xff, 0xfe)],
  ["an overlong NUL", bytes(0xc0, 0x80)],
  ["a surrogate in UTF-8", bytes(0xed, 0xa0, 0x80)],
  ["half a pair", '{"a":"\\ud800"}'],
  ["a NUL", '{"a":"\\u0000"}'],
  ["UTF-16", bytes(0x00, 0x61)],
  ["a byte order mark", "\ufeff{}"],
  ["a prototype", '{"__proto__":{"admin":true}}'],
  ["infinity", '{"a":1e999}'],
];

describe.each(named(withBody))("%s", (_name, route) => {
  it("G14: refuses what is not JSON, with 400 and a pointer", async () => {
    const before = await everything();
    for (const [what, body] of MALFORMED) {
      if (what === "nothing" && route.bodyOptional) continue;
      const { code, pointers } = await refusal(await send(route, { body }));
      expect([what, code]).toEqual([what, "malformed_json"]);
      expect(pointers?.[0]?.pointer).toBeTypeOf("string");
    }
    expect(await everything()).toBe(before);
  });

  it("G14: refuses what does not fit, with 422 and a pointer to it", async () => {
    const before = await everything();
    for (const body of [
      "null",
      "[]",
      '"x"',
      "7",
      "true",
      '{"no_such_field":1}',
      '{"name":{"$ne":null},"slug":7,"spec":[],"input":{},"key":[],"version":"x"}',
      `{"no_such_field":${"[".repeat(60)}${"]".repeat(60)}}`,
    ]) {
      const { code, pointers } = await refusal(await send(route, { body }));
      expect([body, code]).toEqual([body, "invalid"]);
      expect(pointers?.length).toBeGreaterThan(0);
    }
    expect(await everything()).toBe(before);
  });

  it("G14: refuses one byte too many, and any other type", async () => {
    const limit =
      LARGER[route.path] ?? (route.path.endsWith("/invoke") ? INVOKE_BODY_LIMIT : BODY_LIMIT);
    const long = new Uint8Array(limit + 1).fill(0x20);
    expect((await refusal(await send(route, { body: long }))).code).toBe("too_large");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const typed = await refusal(await send(route, { body: "a=1", headers: form }));
    expect(typed).toMatchObject({
      code: "unsupported_media_type",
      pointers: [{ pointer: "content-type" }],
    });
  });
});

const ABSURD = [
  "0",
  "-1",
  "null",
  "undefined",
  "__proto__",
  "constructor",
  "..",
  "../../etc/passwd",
  "' OR 1=1 --",
  "a\0b",
  "\ud83d\ude00",
  "%",
  "%2e%2e%2f",
  "x".repeat(81),
  "x".repeat(4000),
  "agt_00000000000000000000000000",
  "key_0000000000000000000000000i",
  "inv_zzzzzzzzzzzzzzzzzzzzzzzzzz",
];

describe.each(named(withParam))("%s", (_name, route) => {
  it("G14: an absurd id is an id of nothing: 404, or refused before it is looked at", async () => {
    const before = await everything();
    for (const id of ABSURD) {
      const body = route.json === undefined ? {} : { body: "{}" };
      const path = pathOf(route, id);
      const answer = await send(route, { ...body, path });
      // Dots are gone from an address before it is sent: that asked another route.
      if (answer.ok && new URL(path, acme.origin).pathname !== path) continue;
      // The console's page is the same for every address; all else is a refusal.
      const page = answer.headers.get("content-type")?.startsWith("text/html") === true;
      const { status } = page ? answer : await refusal(answer);
      expect([id, status < 500]).toEqual([id, true]);
    }
    expect(await everything()).toBe(before);
  });
});

describe.each(named(routes.filter(({ query }) => query !== undefined)))("%s", (_name, route) => {
  it("G14: refuses a query field it does not know, by its name", async () => {
    const path = `${pathOf(route)}?no_such_field=1`;
    const body = route.json === undefined ? {} : { body: '{"input":"x"}' };
    const { status, code, pointers } = await refusal(await send(route, { ...body, path }));
    expect([status, code]).toEqual([422, "invalid"]);
    expect(pointers?.map(({ pointer }) => pointer)).toContain("no_such_field");
  });

  it("G14: refuses an odd query by name", async () => {
    for (const query of [
      "limit=0",
      "limit=101",
      "limit=x",
      "limit=0x5",
      "limit=1e1",
      "limit=%205",
      "limit=1&limit=2",
      "limit=%00",
      "cursor=%00",
      `cursor=${"x".repeat(300)}`,
      "environment=%00",
      "after=-1",
      "status=none",
    ]) {
      const answer = await send(route, {
        path: `${pathOf(route)}?${query}`,
        ...(route.json === undefined ? {} : { body: '{"input":"x"}' }),
      });
      expect([query, answer.status < 500]).toEqual([query, true]);
      await answer.text();
    }
  });
});

describe.each(
  named(routes.filter(({ method, header }) => header !== undefined && method !== "GET")),
)("%s", (_name, route) => {
  const body = route.json === undefined ? {} : { body: "{}" };

  it("G14: refuses a revision that is none, before it reads the body", async () => {
    const before = await everything();
    for (const tag of ["1", 'W/"1"', "*", '"x"', '"-1"', '"1", "2"', '"99999999999999999999"']) {
      const answer = await refusal(await send(route, { ...body, headers: { "if-match": tag } }));
      expect([tag, answer.code]).toEqual([tag, "bad_request"]);
      const places = new Set(answer.pointers?.map(({ pointer }) => pointer));
      expect(places).toEqual(new Set(["if-match"]));
    }
    expect(await everything()).toBe(before);
  });
});

describe("a stale revision", () => {
  it.each([
    ["PATCH", "/v1/agents/support", { name: "Other" }],
    ["DELETE", "/v1/agents/support", undefined],
    ["PUT", "/v1/agents/support/draft", { kind: "llm", instructions: "x", model: "local/extract" }],
  ] as const)(
    "G14: %s %s is 412, without one 428, and nothing changes",
    async (method, path, json) => {
      const before = await everything();
      const more = json === undefined ? {} : { json };
      const headers = { "if-match": '"999"' };
      const stale = await acme.ask(path, { method, ...more, headers });
      expect(await refusal(stale)).toMatchObject({ status: 412, code: "version_conflict" });
      const none = await acme.ask(path, { method, ...more });
      expect(await refusal(none)).toMatchObject({ status: 428, code: "precondition_required" });
      expect(await everything()).toBe(before);
    },
  );
});

describe("headers", () => {
  it.each([
    ["authorization", `Bearer ${"x".repeat(10_000)}`],
    ["authorization", "Bearer ."],
    ["x-api-key", "berth_live_"],
    ["cookie", `berth=${"x".repeat(10_000)}`],
    ["cookie", ";;;=;berth;berth=;"],
    ["x-request-id", "x".repeat(10_000)],
    ["traceparent", "x".repeat(10_000)],
    ["idempotency-key", "x".repeat(10_000)],
    ["origin", "x".repeat(10_000)],
    ["prefer", "wait=999999999999999999999"],
    ["last-event-id", "-1"],
    ["accept", "\u0001"],
    ["host", "x".repeat(10_000)],
  ])("G14: %s: %s never is a defect", async (name, value) => {
    const headers = { [name]: value };
    const as =
      name === "authorization" || name === "cookie" || name === "x-api-key" ? null : acme.key;
    const json = { input: "Where is the office?" };
    for (const path of ["/v1/agents", "/a/support/invoke", "/v1/invocations/x/events"]) {
      const ask = path.endsWith("invoke") ? { json, headers, as } : { headers, as };
      const answer = await acme.ask(path, ask);
      expect([path, answer.status < 500]).toEqual([path, true]);
      await answer.text();
    }
  });
});
