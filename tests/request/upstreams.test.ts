/** Agents whose runtime is somebody's endpoint: what goes out, and what comes back. */
import { beforeAll, describe, expect, it } from "vitest";
import { namesOf, readUntil, wordsOf } from "../fixtures/agent-runs.ts";
import { httpAgent, releaseUpstreams, UPSTREAMS, type HttpAgent } from "../fixtures/http-agents.ts";
import { UPSTREAM_CLIENT, UPSTREAM_HMAC } from "../fixtures/upstream-server.ts";
import { newWorld, type TestTenant } from "../fixtures/world.ts";

type Echo = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

let acme: TestTenant;
let plain: HttpAgent;

beforeAll(async () => {
  ({ acme } = await newWorld());
  plain = await httpAgent(acme, "plain", { upstream: { on_unknown: "fail" } });
});

const invocationOf = (response: Response) => response.headers.get("berth-invocation") ?? "";

describe("invoke", () => {
  it("F107: posts the turn to the upstream and takes its answer", async () => {
    const done = await plain.ask("hello");
    expect(done).toMatchObject({ status: "succeeded", output: { text: 'you said "hello"' } });
    const [request] = await plain.took("say", 1);
    expect(JSON.parse(request?.body ?? "")).toEqual({
      invocation_id: done.id,
      session_id: done.session_id,
      input: "hello",
      metadata: {},
    });
    expect(request?.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": `${done.id}/upstream.0#0`,
      "berth-invocation": done.id,
    });
    expect(request?.headers).not.toHaveProperty("authorization");
    expect(namesOf(await plain.events(done.id))).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "step.finished",
      "message.completed",
      "invocation.succeeded",
    ]);
  });

  it("F92: journals the call as a step of its own kind", async () => {
    const { id } = await plain.ask("again");
    expect(await plain.steps(id)).toMatchObject([
      {
        key: "upstream.0#0",
        kind: "upstream",
        state: "done",
        output: { response: { status: 200 } },
      },
    ]);
  });

  it("F107, F205: tries three times before it gives up on what may not be there", async () => {
    const agent = await httpAgent(acme, "broken", { upstream: { idempotent: true } });
    await agent.set("500");
    const done = await agent.ask("hello");
    expect(done).toMatchObject({
      status: "dead",
      attempts: 3,
      error: { code: "upstream_failed", detail: "the upstream answered 500" },
    });
    const requests = await agent.took("say");
    expect(requests).toHaveLength(3);
    expect(new Set(requests.map(({ key }) => key)).size).toBe(1);
    expect(requests.map(({ headers }) => headers["berth-replay"])).toEqual([
      undefined,
      "true",
      "true",
    ]);
  });

  it("F98: tries again what the agent's policy says, and nothing else", async () => {
    const retry = { attempts: 3, base_ms: 1, on: ["rate_limited"] };
    const agent = await httpAgent(acme, "choosy", { spec: { retry } });
    await agent.set("500");
    expect(await agent.ask("x")).toMatchObject({ status: "failed", attempts: 1 });
  });

  it("tells a caller that streams what the upstream says as it says it", async () => {
    const agent = await httpAgent(acme, "spoken", { upstream: { invoke_path: "/sse" } });
    const response = await agent.send("hello", { headers: { accept: "text/event-stream" } });
    expect(wordsOf(await readUntil(response, "message.delta"))).toBe("data: one\n\n");
    await releaseUpstreams();
    const [row] = await agent.rows<{ id: string }>("SELECT id FROM invocation");
    const done = await agent.ended(row?.id ?? "");
    expect(done.output?.text).toBe("data: one\n\ndata: two\n\n");
    expect(wordsOf(await agent.events(done.id))).toBe(done.output?.text);
  });

  it("does not try again what the upstream refuses for good", async () => {
    const agent = await httpAgent(acme, "refusing", { upstream: { invoke_path: "/status-404" } });
    expect(await agent.ask("x")).toMatchObject({ status: "failed", attempts: 1 });
  });
});

describe("the proxy", () => {
  it("F91, F92: forwards method, path, query, body and fields, and stores both sides", async () => {
    const response = await plain.proxy("/echo/a%2Fb?x=1&environment=dev", {
      method: "PUT",
      raw: "böse",
      headers: { "content-type": "text/plain", "x-mine": "1", cookie: "a=b" },
    });
    expect(response.status).toBe(200);
    const echo = await response.json<Echo>();
    expect(echo).toMatchObject({
      method: "PUT",
      path: "/plain/echo/a%2Fb?x=1&environment=dev",
      body: "böse",
      headers: { "content-type": "text/plain", "x-mine": "1" },
    });
    for (const field of ["authorization", "cookie", "x-forwarded-for"]) {
      expect(echo.headers).not.toHaveProperty(field);
    }
    const stored = await plain.get(invocationOf(response));
    expect(stored).toMatchObject({
      status: "succeeded",
      input: {
        request: { method: "PUT", path: "/echo/a%2Fb?x=1&environment=dev", body: { data: "böse" } },
      },
      output: { response: { status: 200 } },
    });
    expect(JSON.stringify(stored)).not.toContain(acme.key);
    expect(JSON.parse(stored.output?.response?.body?.data ?? "")).toEqual(echo);
  });

  it("passes every status on, and bodies that are not text byte for byte", async () => {
    expect((await plain.proxy("/status-418")).status).toBe(418);
    const binary = await plain.proxy("/binary");
    const bytes = new Uint8Array(await binary.arrayBuffer());
    expect([...bytes]).toEqual(Array.from({ length: 256 }, (_, i) => i));
    const { output } = await plain.get(invocationOf(binary));
    expect(output?.response?.body?.encoding).toBe("base64");
  });

  it("lets an upstream say nothing in the name of the tenant's host", async () => {
    const { headers } = await plain.proxy("/cookie");
    expect(headers.get("x-custom")).toBe("kept");
    expect(headers.get("content-security-policy")).toBe("sandbox");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    for (const field of ["set-cookie", "clear-site-data", "access-control-allow-origin"]) {
      expect(headers.get(field)).toBeNull();
    }
  });

  it("does not leave the upstream's folder, however the path is written", async () => {
    const statuses: number[] = [];
    for (const path of ["/../other/echo", "/%2e%2e/other/echo", "/..%2f..%2fother", "/..%5cx"]) {
      const response = await plain.proxy(path);
      statuses.push(response.status);
      await response.text();
    }
    // Settled before a route is found, or by the route.
    expect(statuses).toEqual([404, 404, 400, 400]);
  });

  it("F97: answers a completed key from the store and asks nobody", async () => {
    const ask = () =>
      plain.proxy("/echo/keyed", {
        method: "POST",
        json: { n: 1 },
        headers: { "idempotency-key": "k-97" },
      });
    const first = await ask();
    const text = await first.text();
    const second = await ask();
    expect(await second.text()).toBe(text);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(second.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(invocationOf(second)).toBe(invocationOf(first));
    expect(await plain.took("echo")).toSatisfy(
      (all: readonly { readonly path: string }[]) =>
        all.filter(({ path }) => path === "/plain/echo/keyed").length === 1,
    );
    const other = await plain.proxy("/echo/keyed", {
      method: "POST",
      json: { n: 2 },
      headers: { "idempotency-key": "k-97" },
    });
    expect(other.status).toBe(422);
  });

  it("F94: parallel callers of one key are one request", async () => {
    const ask = () =>
      plain.proxy("/echo/same", {
        method: "POST",
        json: {},
        headers: { "idempotency-key": "k-94" },
      });
    const answers = await Promise.all([ask(), ask(), ask()]);
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    expect(new Set(texts).size).toBe(1);
    expect(new Set(answers.map(invocationOf)).size).toBe(1);
  });

  it("passes a streaming answer through as it comes, and stores it whole", async () => {
    const response = await plain.proxy("/sse", { headers: { accept: "text/event-stream" } });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const reader = response.body?.getReader();
    const first = await reader?.read();
    // The upstream has not ended: what is read now was not waited for.
    expect(new TextDecoder().decode(first?.value)).toBe("data: one\n\n");
    await releaseUpstreams();
    const second = await reader?.read();
    expect(new TextDecoder().decode(second?.value)).toBe("data: two\n\n");
    expect((await reader?.read())?.done).toBe(true);
    const { status, output } = await plain.get(invocationOf(response));
    expect(status).toBe("succeeded");
    expect(output?.response?.body?.data).toBe("data: one\n\ndata: two\n\n");
  });

  it("F110: holds requests and answers to the spec's sizes", async () => {
    const small = await httpAgent(acme, "small", {
      upstream: { max_request_bytes: 10, max_response_bytes: 1000 },
    });
    const long = await small.proxy("/echo", { method: "POST", raw: "x".repeat(11) });
    expect(long.status).toBe(413);
    expect(await small.took("echo")).toEqual([]);
    expect((await small.proxy("/declared")).status).toBe(502);
    const large = await small.proxy("/large");
    await expect(large.text()).rejects.toBeInstanceOf(Error);
    const ended = await small.ended(invocationOf(large));
    expect(ended).toMatchObject({ status: "failed", error: { code: "upstream_failed" } });
  });

  it("takes no answer that is not whole", async () => {
    const cut = await plain.proxy("/cut", { method: "POST", raw: "x" });
    await cut.text().catch(() => undefined);
    const ended = await plain.ended(invocationOf(cut));
    expect(ended).toMatchObject({ status: "failed", error: { code: "effect_unknown" } });
  });

  it("F107: ends a call that drips or hangs when its time is over", async () => {
    const slow = await httpAgent(acme, "slow", {
      upstream: { timeout_ms: 100, idempotent: false, on_unknown: "fail" },
    });
    const hung = await slow.proxy("/hang", { method: "POST", raw: "x" });
    expect(hung.status).toBe(409);
    expect(await hung.json()).toMatchObject({ code: "effect_unknown" });
    const dripping = await slow.proxy("/drip", { method: "POST", raw: "x" });
    await dripping.text().catch(() => undefined);
    expect(await slow.ended(invocationOf(dripping))).toMatchObject({ status: "failed" });
  });

  it("never sends twice what may not be: a lost answer is unknown", async () => {
    const lost = await plain.proxy("/lost", { method: "POST", raw: "x" });
    expect(lost.status).toBe(409);
    expect(await lost.json()).toMatchObject({ code: "effect_unknown" });
    expect(await plain.took("lost")).toHaveLength(1);
  });

  it("F112: a request that was stored is sent again when somebody asks for it", async () => {
    const first = await plain.proxy("/echo/again", { method: "PUT", raw: "böse" });
    await first.text();
    const again = await acme.json<{ id: string; redriven_from: string }>(
      `/v1/invocations/${invocationOf(first)}/retry`,
      202,
      { method: "POST" },
    );
    expect(again.redriven_from).toBe(invocationOf(first));
    const { status, output } = await plain.ended(again.id);
    expect(status).toBe("succeeded");
    expect(JSON.parse(output?.response?.body?.data ?? "")).toMatchObject({
      method: "PUT",
      path: "/plain/echo/again",
      body: "böse",
      headers: { "idempotency-key": `${again.id}/upstream.0#0` },
    });
  });

  it("is for http agents: any other has no upstream", async () => {
    await acme.json("/v1/agents", 201, { json: { slug: "draft", name: "Draft" } });
    expect((await acme.ask("/a/draft/proxy/x")).status).toBe(503);
    expect((await acme.ask("/a/nobody/proxy/x")).status).toBe(404);
  });
});

describe("redirects", () => {
  it("are the caller's to follow when proxied, by way of the agent's address", async () => {
    const response = await plain.proxy("/inside");
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe("/a/plain/proxy/echo?moved=1");
    const outside = await plain.proxy("/outside");
    expect(outside.status).toBe(302);
    expect(outside.headers.get("location")).toContain("169.254.169.254");
  });

  it("are followed by invoke within the origin alone, and never across hosts", async () => {
    const inside = await httpAgent(acme, "moved", { upstream: { invoke_path: "/inside" } });
    const done = await inside.ask("hello");
    expect(done.status).toBe("succeeded");
    expect(await inside.took("echo", 1)).toHaveLength(1);
    for (const path of ["/across", "/outside"]) {
      const agent = await httpAgent(acme, `to${path.slice(1)}`, {
        upstream: { invoke_path: path },
      });
      expect(await agent.ask("x")).toMatchObject({
        status: "failed",
        error: { code: "upstream_failed" },
      });
    }
  });
});

describe("what opens the upstream", () => {
  it("F107: a key header and custom fields from secrets, and never in what is stored", async () => {
    await secret("UP_KEY", "upstream-key-0123456789");
    const agent = await httpAgent(acme, "keyed", {
      upstream: {
        headers: { "x-tenant": "acme", "x-second": { secret: "UP_KEY", prefix: "v1 " } },
        auth: { kind: "header", name: "x-key", value: { secret: "UP_KEY" } },
      },
    });
    const response = await agent.proxy("/echo");
    const text = await response.text();
    expect(text).not.toContain("upstream-key-0123456789");
    expect(JSON.parse(text)).toMatchObject({
      headers: { "x-tenant": "acme", "x-key": "[redacted]", "x-second": "v1 [redacted]" },
    });
    const [sent] = await agent.took("echo", 1);
    expect(sent?.headers).toMatchObject({
      "x-key": "upstream-key-0123456789",
      "x-second": "v1 upstream-key-0123456789",
    });
    const rows = await agent.rows("SELECT * FROM invocation");
    expect(JSON.stringify(rows)).not.toContain("upstream-key-0123456789");
  });

  it("F107: an OAuth 2 client's token, asked for once and again when it is refused", async () => {
    await secret("UP_CLIENT", UPSTREAM_CLIENT.secret);
    const agent = await httpAgent(acme, "oauth", {
      upstream: {
        auth: {
          kind: "oauth2",
          token_url: `${UPSTREAMS}/oauth/token`,
          client_id: UPSTREAM_CLIENT.id,
          client_secret: { secret: "UP_CLIENT" },
        },
      },
    });
    const answers = await Promise.all([1, 2, 3, 4].map(() => agent.proxy("/guarded")));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    for (const answer of answers)
      expect(await answer.text()).not.toContain("tok-1-0123456789abcdef");
    expect(await agent.took("token")).toHaveLength(1);
    // Another client of the issuer ends the token: the next call asks for one of its own.
    const basic = btoa(`${UPSTREAM_CLIENT.id}:${UPSTREAM_CLIENT.secret}`);
    const url = `${UPSTREAMS}/oauth/token`;
    await (
      await fetch(url, { method: "POST", headers: { authorization: `Basic ${basic}` } })
    ).text();
    expect((await agent.proxy("/guarded")).status).toBe(200);
    expect(await agent.took("token")).toHaveLength(3);
  });

  it("F107: an HMAC signature over time, method, path and body", async () => {
    await secret("UP_HMAC", UPSTREAM_HMAC);
    const agent = await httpAgent(acme, "hmac", {
      upstream: { auth: { kind: "hmac", secret: { secret: "UP_HMAC" } } },
    });
    const response = await agent.proxy("/signed?a=1", { method: "POST", raw: "böse" });
    expect(response.status).toBe(200);
  });

  it("is named at publish, and has to be there", async () => {
    const spec = {
      kind: "http",
      upstream: {
        url: "https://10.0.0.1/",
        headers: { Host: "x", "X-Api-Key": "written" },
        auth: { kind: "header", name: "x-key", value: { secret: "NOBODY" } },
      },
    };
    const json = { slug: "unfit", name: "Unfit", spec };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    const refused = await acme.json<{ errors: readonly { readonly pointer: string }[] }>(
      `/v1/agents/${id}/publish`,
      422,
      { method: "POST" },
    );
    expect(refused.errors.map(({ pointer }) => pointer)).toEqual([
      "/upstream/url",
      "/upstream/headers/Host",
      "/upstream/headers/X-Api-Key",
      "/upstream/auth/value/secret",
    ]);
  });
});

async function secret(name: string, value: string): Promise<void> {
  await acme.json("/v1/secrets", 201, { json: { name, value } });
}
