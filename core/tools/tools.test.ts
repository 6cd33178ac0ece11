import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startHttpServer, type HttpServer } from "../../tests/fixtures/http-server.ts";
import { checkUrl } from "../egress/check.ts";
import { egressFetch } from "../egress/fetch.ts";
import { Problem } from "../problem.ts";
import { buildTool } from "./build.ts";
import { checkTools } from "./check.ts";
import { ToolFailure, ToolSpec, type Tool, type ToolResult } from "./contract.ts";

let server: HttpServer;
beforeAll(async () => {
  server = await startHttpServer();
});
afterAll(async () => {
  await server.close();
});
beforeEach(() => {
  server.log.clear();
});

function refusedUrl(url: string): string | undefined {
  const checked = checkUrl(url, rule());
  return checked instanceof Problem ? checked.data.detail : undefined;
}

const secret = (name: string): string | undefined => SECRETS[name];
const SECRETS: Readonly<Record<string, string>> = { CRM: "crm-value-1", BROKEN: "two\nlines" };

const NOW = Date.UTC(2026, 6, 1, 12, 30, 5, 123);

function rule(allow = [`127.0.0.1:${server.port}`]) {
  return { allow, ownHosts: ["berth.example"] };
}

function http(path: string, overrides: object = {}): Tool {
  const spec = ToolSpec.parse({
    kind: "http",
    name: "far",
    description: "The far side.",
    url: `${server.url}${path}`,
    ...overrides,
  });
  return buildTool(spec, { fetch: egressFetch(fetch, rule()), now: () => NOW, secret });
}

async function call(tool: Tool, args: unknown = {}): Promise<ToolResult> {
  const context = { idempotencyKey: "inv_1/tool.0#0", signal: new AbortController().signal };
  return tool.call(args, context);
}

async function failure(tool: Tool, signal = new AbortController().signal): Promise<ToolFailure> {
  const error = await tool.call({}, { idempotencyKey: "k", signal }).catch((e: unknown) => e);
  if (!(error instanceof ToolFailure)) throw new Error(`no ToolFailure but ${String(error)}`);
  return error;
}

describe("the http tool", () => {
  const schema = {
    type: "object",
    properties: { id: { type: "string" }, tags: { type: "array" }, deep: {}, none: {} },
    required: ["id"],
  };

  it("puts the arguments that are left into the query of a GET", async () => {
    const tool = http("/orders/{id}?v=1", { input_schema: schema, headers: { "X-Team": "a" } });
    const result = await call(tool, {
      id: "7/8",
      tags: ["a", "b&c"],
      deep: { x: [1] },
      none: null,
    });
    expect(result.isError).toBe(false);
    expect(JSON.parse(result.content)).toMatchObject({ method: "GET", body: "" });
    const [request] = server.requests;
    expect(request?.path).toBe("/orders/7%2F8?v=1&tags=a&tags=b%26c&deep=%7B%22x%22%3A%5B1%5D%7D");
    expect(request?.headers).toMatchObject({ "x-team": "a", "idempotency-key": "inv_1/tool.0#0" });
  });

  it.each(["POST", "PUT", "PATCH"])("puts them into a JSON body of a %s", async (method) => {
    const tool = http("/orders/{id}", { method, input_schema: schema });
    await call(tool, JSON.parse('{"id":"7","deep":{"x":null},"__proto__":{"a":1}}'));
    const [request] = server.requests;
    expect(request?.method).toBe(method);
    expect(request?.path).toBe("/orders/7");
    expect(request?.headers["content-type"]).toBe("application/json");
    expect(request?.body).toBe('{"deep":{"x":null},"__proto__":{"a":1}}');
  });

  it.each([{}, { id: 7 }, { id: "" }, { id: ".." }, [[]], null, "x"])(
    "sends nothing for the arguments %j",
    async (args: unknown) => {
      const result = await call(http("/orders/{id}", { input_schema: schema }), args);
      expect(result.isError).toBe(true);
      expect(result.content).toMatch(/^The arguments were refused: \//);
      expect(server.requests).toHaveLength(0);
    },
  );

  it("sends nothing for an argument of a megabyte in a URL", async () => {
    const tool = http("/orders/{id}", { input_schema: schema });
    const result = await call(tool, { id: "x".repeat(1_000_000) });
    expect(result).toMatchObject({ isError: true });
    expect(server.requests).toHaveLength(0);
  });

  it("hands an error of the far side to the model", async () => {
    expect(await call(http("/status-503"))).toEqual({
      isError: true,
      content: 'HTTP 503\n{"error":"this is 503"}',
      temporary: { kind: "server_error" },
    });
    expect(await call(http("/status-404"))).not.toHaveProperty("temporary");
    expect(await call(http("/empty"))).toEqual({ isError: false, content: "HTTP 204, no content" });
    expect(await call(http("/text"))).toEqual({ isError: false, content: "héllo" });
  });

  it.each(["/large", "/declared"])("F194: cuts an answer of 30 MiB (%s)", async (path) => {
    const result = await call(http(path));
    expect(result.isError).toBe(true);
    expect(result.content.length).toBeLessThan(10_000);
    await server.log.wait(1, { state: "aborted" });
  });

  it.each(["/binary", "/nul"])("refuses an answer that is not text (%s)", async (path) => {
    expect(await call(http(path))).toMatchObject({ isError: true });
  });

  it("F194: follows no redirect", async () => {
    const result = await call(http("/redirect"));
    expect(result).toMatchObject({ isError: true });
    expect(result.content).toContain("redirect");
    expect(server.requests).toHaveLength(1);
  });

  it("F194: sends nothing to an inside address, and says that it did not", async () => {
    const spec = { kind: "http", name: "in", description: "d", url: "http://127.0.0.1:1/{id}" };
    const input_schema = { type: "object", properties: { id: {} } };
    const fetcher = egressFetch(fetch, rule());
    const ports = { fetch: fetcher, now: () => NOW, secret };
    const tool = buildTool(ToolSpec.parse({ ...spec, input_schema }), ports);
    const sent = tool.call({ id: 1 }, { idempotencyKey: "k", signal: AbortSignal.timeout(5000) });
    await expect(sent).rejects.toMatchObject({ sent: false });
  });

  it.each(["/hang", "/drip"])(
    "gives up on %s when its time is up, the request being sent",
    async (path) => {
      const failed = await failure(http(path, { timeout_ms: 150 }));
      expect(failed).toMatchObject({ sent: true, message: "There was no answer within 150 ms." });
      await server.log.wait(1, { state: "aborted" });
    },
  );

  it("F98: tells what may be had later from what never will, and when", async () => {
    expect(await call(http("/flaky-1"))).toMatchObject({
      temporary: { kind: "server_error", retryAfterMs: 0 },
    });
    expect(await call(http("/status-429"))).toMatchObject({ temporary: { kind: "rate_limited" } });
    expect(await failure(http("/close"))).toMatchObject({ kind: "unreachable" });
    expect(await failure(http("/hang", { timeout_ms: 150 }))).toMatchObject({ kind: "timeout" });
  });

  it("K2: asks the far side whether a call took effect, and believes what it says", async () => {
    const tool = http("/mute", {
      method: "POST",
      lookup: { url: `${server.url}/mute/{idempotency_key}` },
      headers: { "X-Team": "a" },
    });
    const look = () => tool.lookup?.({}, { idempotencyKey: "inv/1", signal: AbortSignal.any([]) });
    expect(await look()).toEqual({ happened: false });
    await tool
      .call({}, { idempotencyKey: "inv/1", signal: AbortSignal.any([]) })
      .catch(() => undefined);
    expect(await look()).toEqual({
      happened: true,
      result: { content: '{"receipt":"inv/1"}', isError: false },
    });
    const asked = server.requests.filter(({ method }) => method === "GET");
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ path: "/mute/inv%2F1", headers: { "x-team": "a" } });
  });

  it("K2: knows nothing from a look-up that does not say", async () => {
    const tool = http("/unsure", {
      method: "POST",
      lookup: { url: `${server.url}/unsure/{idempotency_key}` },
    });
    const asked = tool.lookup?.({}, { idempotencyKey: "k", signal: AbortSignal.any([]) });
    await expect(asked).rejects.toMatchObject({ message: "The look-up was answered 202." });
  });

  it.each(["/close", "/cut"])("cannot tell what became of %s", async (path) => {
    expect(await failure(http(path))).toMatchObject({ sent: true });
  });

  it("a cancel reaches the request in flight", async () => {
    const controller = new AbortController();
    const failed = failure(http("/hang"), controller.signal);
    await server.log.wait(1, { state: "open" });
    controller.abort();
    expect(await failed).toMatchObject({ sent: true });
    await server.log.wait(1, { state: "aborted" });
  });

  it("may be repeated when it says so, or is a GET", () => {
    expect(http("/x").idempotent).toBe(true);
    expect(http("/x", { method: "POST" }).idempotent).toBe(false);
    expect(http("/x", { method: "POST", idempotent: true }).idempotent).toBe(true);
  });
});

describe("the clock", () => {
  const clock = buildTool(ToolSpec.parse({ kind: "clock" }), { fetch, now: () => NOW, secret });

  it("tells the time of a zone", async () => {
    const told = async (args: unknown) => JSON.parse((await call(clock, args)).content) as unknown;
    expect(await told({})).toEqual({
      utc: "2026-07-01T12:30:05.123Z",
      local: "2026-07-01T12:30:05+00:00",
      weekday: "Wednesday",
      zone: "UTC",
    });
    expect(await told({ zone: "Asia/Kathmandu" })).toMatchObject({
      local: "2026-07-01T18:15:05+05:45",
    });
    expect(await told({ zone: "America/St_Johns" })).toMatchObject({
      local: "2026-07-01T10:00:05-02:30",
    });
  });

  it.each([
    { zone: "Mars/Olympus" },
    { zone: "" },
    { zone: 7 },
    { zone: "x".repeat(65) },
    { x: 1 },
    [[]],
  ])("refuses %j", async (args) => {
    expect(await call(clock, args)).toMatchObject({ isError: true });
  });
});

describe("F191: a secret in a tool's header", () => {
  it("is put there at the call, behind its prefix", async () => {
    const Authorization = { secret: "CRM", prefix: "Bearer " };
    await call(http("/text", { headers: { Authorization, "X-Plain": "p" } }));
    const [request] = server.requests;
    expect(request?.headers).toMatchObject({ authorization: "Bearer crm-value-1", "x-plain": "p" });
  });

  it.each(["GONE", "BROKEN"])("stops the call when it cannot be sent (%s)", async (name) => {
    const failed = await failure(http("/text", { headers: { "X-Api-Key": { secret: name } } }));
    expect(failed).toMatchObject({ sent: false, message: expect.stringContaining(name) });
    expect(failed.message).not.toContain("lines");
    expect(server.requests).toHaveLength(0);
  });
});

const LOCAL_LOOKUP = "https://127.0.0.1/{idempotency_key}";
const AUTHORIZATION = "/tools/0/headers/Authorization";

describe("what publish refuses in tools", () => {
  const base = { kind: "http", name: "t", description: "d" };
  const check = (tool: object) =>
    checkTools([ToolSpec.parse({ ...base, ...tool })], refusedUrl).map(({ pointer }) => pointer);

  it("takes what can run", () => {
    const input_schema = { type: "object", properties: { id: {} }, required: ["id"] };
    expect(check({ url: "https://a.example/{id}", input_schema })).toEqual([]);
    const Authorization = { secret: "CRM", prefix: "Bearer " };
    expect(check({ url: "https://a.example/", headers: { Authorization } })).toEqual([]);
    expect(check({ url: `${server.url}/x` })).toEqual([]);
    const lookup = { url: "https://a.example/{id}/{idempotency_key}" };
    const post = { url: "https://a.example/{id}", method: "POST", input_schema };
    expect(check({ ...post, lookup, retry: {} })).toEqual([]);
  });

  it.each([
    [{ url: "http://a.example/" }, "/tools/0/url"],
    [{ url: "https://127.0.0.1/" }, "/tools/0/url"],
    [{ url: "https://acme.berth.example/" }, "/tools/0/url"],
    [{ url: "https://{host}/" }, "/tools/0/url"],
    [{ url: "https://a.example/{id}" }, "/tools/0/url"],
    [
      { url: "https://a.example/{id}", input_schema: { type: "object", properties: { id: {} } } },
      "/tools/0/url",
    ],
    [{ url: "https://a.example/", headers: { Host: "b" } }, "/tools/0/headers/Host"],
    [{ url: "https://a.example/", headers: { "X-A": "a\r\nb: c" } }, "/tools/0/headers/X-A"],
    [{ url: "https://a.example/", headers: { "X-A": "ü" } }, "/tools/0/headers/X-A"],
    [{ url: "https://a.example/", headers: { Authorization: "Bearer x" } }, AUTHORIZATION],
    [{ url: "https://a.example/", headers: { cookie: "a=b" } }, "/tools/0/headers/cookie"],
    [{ url: "https://a.example/", headers: { "X-Api-Key": "k" } }, "/tools/0/headers/X-Api-Key"],
    [{ url: "https://a.example/", headers: { Host: { secret: "CRM" } } }, "/tools/0/headers/Host"],
    [{ url: "https://a.example/", input_schema: { type: "array" } }, "/tools/0/input_schema/type"],
    [{ url: "https://a.example/", method: "POST", retry: {} }, "/tools/0/retry"],
    [{ url: "https://a.example/", lookup: { url: "https://a.example/x" } }, "/tools/0/lookup/url"],
    [{ url: "https://a.example/", lookup: { url: LOCAL_LOOKUP } }, "/tools/0/lookup/url"],
    [{ url: "https://a.example/", compensate_with: "t" }, "/tools/0/compensate_with"],
    [{ url: "https://a.example/", compensate_with: "none" }, "/tools/0/compensate_with"],
  ])("refuses %j", (tool, pointer) => {
    expect(check(tool)).toContain(pointer);
  });

  it("refuses two tools of one name", () => {
    const clock = ToolSpec.parse({ kind: "clock" });
    expect(checkTools([clock, clock], refusedUrl)).toEqual([
      { pointer: "/tools/1/name", detail: "two tools have this name" },
    ]);
  });
});
