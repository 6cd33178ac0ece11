import { describe, expect, it } from "vitest";
import { createRedactor } from "../secrets/redact.ts";
import { binaryOf, bytesOf, fromBinary, joined, storedBody } from "./body.ts";
import { upstreamOf } from "./call.ts";
import { checkUpstream } from "./check.ts";
import { UpstreamFailure, UpstreamSpec } from "./contract.ts";
import { forwardedHeaders, returnedHeaders } from "./headers.ts";
import { signatureOf } from "./sign.ts";
import { pathBelow, targetOf } from "./target.ts";
import { Tokens } from "./token.ts";
import { outputOf } from "./turn.ts";
import { repeatable, retryAfterMs, verdictOf } from "./verdict.ts";

const BASE = "https://up.example/api/v1";
const signal = new AbortController().signal;

describe("a path below the base", () => {
  it.each([
    ["/x", "https://up.example/api/v1/x"],
    ["", "https://up.example/api/v1"],
    ["/", "https://up.example/api/v1/"],
    ["/a%2Fb?c=d&e", "https://up.example/api/v1/a%2Fb?c=d&e"],
    ["/a/../b", "https://up.example/api/v1/b"],
    ["?q=1", "https://up.example/api/v1?q=1"],
    ["//evil.example/x", "https://up.example/api/v1//evil.example/x"],
  ])("%j stands for %s", (path, url) => {
    expect(targetOf(BASE, path)?.href).toBe(url);
  });

  it.each([
    "/../../admin",
    "/..",
    "/%2e%2e/x",
    "/..\\..\\admin",
    "@evil.example/",
    ".evil.example/",
    "x",
    "/..%2F..%2fx",
    "/a/..%5c..%5Cx",
    "/a/%2e%2E%2fx",
  ])("F91: %j does not leave it", (path) => {
    expect(targetOf(BASE, path)).toBeUndefined();
  });

  it("is found again in what the upstream calls itself", () => {
    expect(pathBelow(BASE, new URL("https://up.example/api/v1/x?y"))).toBe("/x?y");
    expect(pathBelow(BASE, new URL("https://up.example/other"))).toBeUndefined();
    expect(pathBelow(BASE, new URL("https://evil.example/api/v1/x"))).toBeUndefined();
  });
});

describe("what goes on of a head", () => {
  it("keeps the caller's credential and the connection's fields here", () => {
    const headers = new Headers({
      accept: "text/html",
      authorization: "Bearer ak_live",
      cookie: "a=b",
      "x-api-key": "ak_live",
      "x-forwarded-for": "10.0.0.1",
      "cf-connecting-ip": "10.0.0.1",
      connection: "close, x-hop",
      "x-hop": "1",
      "x-mine": "kept",
      "berth-replay": "true",
    });
    expect(forwardedHeaders(headers)).toEqual({ accept: "text/html", "x-mine": "kept" });
  });

  it("lets an answer act for nobody but itself", () => {
    const headers = new Headers({
      "content-type": "text/html",
      "content-encoding": "gzip",
      "content-length": "5",
      "set-cookie": "a=b",
      "access-control-allow-origin": "*",
      "strict-transport-security": "max-age=1",
      "www-authenticate": "Basic",
      "idempotency-replayed": "true",
      nel: "{}",
      etag: '"1"',
    });
    expect(returnedHeaders(headers)).toEqual({ "content-type": "text/html", etag: '"1"' });
  });
});

describe("a body", () => {
  it("is stored as text where it is UTF-8, and comes back byte for byte", () => {
    for (const bytes of [
      new TextEncoder().encode("grüße 🤖\u0000"),
      new Uint8Array([0xef, 0xbb, 0xbf, 0x41]),
      new Uint8Array([0xff, 0xfe, 0x00]),
      new Uint8Array(33_000).fill(0x80),
    ]) {
      expect(bytesOf(storedBody(bytes))).toEqual(bytes);
      expect(fromBinary(binaryOf(bytes))).toEqual(bytes);
    }
    expect(storedBody(new Uint8Array(0))).toBeNull();
    expect(bytesOf(null)).toBeNull();
    expect(joined([new Uint8Array([1]), new Uint8Array([2, 3])])).toEqual(
      new Uint8Array([1, 2, 3]),
    );
  });
});

describe("F95, F107: what an answer means", () => {
  it.each([
    // status, safe to repeat, proxied, verdict
    [200, false, false, "answered"],
    [404, true, false, "answered"],
    [404, true, true, "answered"],
    [429, false, false, "again"],
    [429, false, true, "answered"],
    [500, false, false, "again"],
    [500, false, true, "answered"],
    [502, true, true, "away"],
    [502, false, true, "answered"],
    [503, false, true, "away"],
    [503, false, false, "away"],
    [504, false, false, "again"],
    [522, false, true, "away"],
  ] as const)("%d (safe %j, proxied %j) is %s", (status, safe, proxied, verdict) => {
    expect(verdictOf(status, safe, proxied)).toBe(verdict);
  });

  it("knows which methods may be sent twice", () => {
    expect(repeatable("GET", false)).toBe(true);
    expect(repeatable("PUT", false)).toBe(true);
    expect(repeatable("POST", false)).toBe(false);
    expect(repeatable("PATCH", false)).toBe(false);
    expect(repeatable("POST", true)).toBe(true);
  });

  it.each([
    ["3", 3000],
    ["Thu, 01 Jan 1970 00:00:10 GMT", 9000],
    ["soon", undefined],
    [null, undefined],
  ])("reads Retry-After %j", (text, ms) => {
    const headers = new Headers(text === null ? {} : { "retry-after": text });
    expect(retryAfterMs(headers, 1000)).toBe(ms);
  });
});

describe("what an upstream says to a turn", () => {
  it.each([
    ['{"output":"a"}', "application/json", "a"],
    ['{"text":"a"}', "application/json; charset=utf-8", "a"],
    ['{"output":{"text":"a"}}', "application/problem+json", "a"],
    ['{"other":1}', "application/json", '{"other":1}'],
    ["[1]", "application/json", "[1]"],
    ["{broken", "application/json", "{broken"],
    ["plain", "text/plain", "plain"],
    ['{"output":"a"}', "text/plain", '{"output":"a"}'],
    ['{"__proto__":{"text":"a"}}', "application/json", '{"__proto__":{"text":"a"}}'],
  ])("%s as %s", (said, type, text) => {
    const output = outputOf(said, type);
    expect(output.text).toBe(text);
    expect(output.messages).toEqual([{ role: "assistant", content: text }]);
  });
});

const ASKED = { method: "POST", path: "/x", headers: {}, body: new TextEncoder().encode("hi") };
const CONTEXT = { headers: {}, followsRedirects: true, signal };

function upstream(spec: object, answers: (url: URL, init?: RequestInit) => Response) {
  const sent: { readonly url: string; readonly init: RequestInit | undefined }[] = [];
  const ports = {
    fetch: async (target: string | URL, init?: RequestInit) => {
      sent.push({ url: String(target), init });
      return answers(new URL(target), init);
    },
    now: () => 1_000_000,
    secret: (name: string) => (name === "KEY" ? "value-of-key" : undefined),
    redactor: () => createRedactor(["value-of-key"]),
  };
  return { sent, it: upstreamOf(UpstreamSpec.parse({ url: BASE, ...spec }), ports) };
}

describe("a call", () => {
  it("C3: puts the spec's fields over the request's, what opens it over those, and ours last", async () => {
    const spec = {
      headers: { "x-a": "spec", "x-b": "spec", "x-c": "spec" },
      auth: { kind: "header", name: "x-b", value: { secret: "KEY", prefix: "K " } },
    };
    const { sent, it: up } = upstream(spec, () => new Response("ok"));
    const headers = { "x-a": "caller", "x-b": "caller", "x-c": "caller" };
    await up.send({ ...ASKED, headers }, { ...CONTEXT, headers: { "x-c": "ours" } });
    const fields = new Headers(sent[0]?.init?.headers);
    expect(Object.fromEntries(fields)).toMatchObject({
      "x-a": "spec",
      "x-b": "K value-of-key",
      "x-c": "ours",
    });
  });

  it("C2: follows what keeps the method, within the origin, three times", async () => {
    const { sent, it: up } = upstream({}, (url) =>
      url.searchParams.has("n")
        ? new Response("ok")
        : new Response(null, { status: 308, headers: { location: "?n=1" } }),
    );
    expect(await (await up.send(ASKED, CONTEXT)).text()).toBe("ok");
    expect(sent.map(({ init }) => init?.method)).toEqual(["POST", "POST"]);
    const loop = upstream({}, () => new Response(null, { status: 307, headers: { location: "" } }));
    await expect(loop.it.send(ASKED, CONTEXT)).rejects.toMatchObject({ reason: "redirect" });
    expect(loop.sent).toHaveLength(4);
  });

  it.each([
    [307, "https://evil.example/"],
    [307, "http://up.example/"],
    [308, "https://up.example:8443/"],
    [302, "/elsewhere"],
    [303, "/elsewhere"],
    [301, "//evil.example/"],
  ])("C2: does not follow %d to %s", async (status, location) => {
    const { sent, it: up } = upstream(
      {},
      () => new Response(null, { status, headers: { location } }),
    );
    await expect(up.send(ASKED, CONTEXT)).rejects.toMatchObject({ reason: "redirect" });
    expect(sent).toHaveLength(1);
  });

  it("sends nothing when what opens it is not there", async () => {
    const spec = { auth: { kind: "header", name: "x-b", value: { secret: "GONE" } } };
    const { sent, it: up } = upstream(spec, () => new Response("ok"));
    await expect(up.send(ASKED, CONTEXT)).rejects.toMatchObject({ reason: "credential" });
    expect(sent).toEqual([]);
  });
});

describe("F107: tokens of an OAuth 2 client", () => {
  const client = UpstreamSpec.shape.auth.parse({
    kind: "oauth2",
    token_url: "https://issuer.example/token",
    client_id: "a b:c",
    client_secret: { secret: "KEY" },
    scope: "one two",
  });

  function tokens(answer: () => Response | Promise<Response>) {
    if (client.kind !== "oauth2") throw new Error("another kind");
    const state = { nowMs: 0, asked: [] as RequestInit[] };
    const made = new Tokens(client, {
      fetch: async (_url, init) => {
        state.asked.push(init ?? {});
        return answer();
      },
      now: () => state.nowMs,
      secret: () => "s/ecret",
    });
    return { state, made };
  }

  const good = () => Response.json({ access_token: "t1", expires_in: 100 });

  it("asks once for many, keeps it while it lasts, and asks anew shortly before its end", async () => {
    const { state, made } = tokens(good);
    expect(await Promise.all([made.take(signal), made.take(signal)])).toEqual(["t1", "t1"]);
    expect(state.asked).toHaveLength(1);
    state.nowMs = 69_999;
    await made.take(signal);
    expect(state.asked).toHaveLength(1);
    state.nowMs = 70_000;
    await made.take(signal);
    expect(state.asked).toHaveLength(2);
    made.refused("t1");
    await made.take(signal);
    expect(state.asked).toHaveLength(3);
  });

  it("proves itself as RFC 6749 says: id and secret as a form has them", async () => {
    const { state, made } = tokens(good);
    await made.take(signal);
    const { headers, body } = state.asked[0] ?? {};
    expect(new Headers(headers).get("authorization")).toBe(`Basic ${btoa("a+b%3Ac:s%2Fecret")}`);
    expect(body).toBe("grant_type=client_credentials&scope=one+two");
  });

  it("keeps no failure, and tells what cannot be mended from what may", async () => {
    let answer: () => Response = () => new Response("no", { status: 503 });
    const { made } = tokens(() => answer());
    await expect(made.take(signal)).rejects.toMatchObject({ reason: "unready" });
    answer = () => Response.json({ error: "invalid_client" }, { status: 401 });
    await expect(made.take(signal)).rejects.toMatchObject({ reason: "credential" });
    for (const text of ["[]", "{", '{"access_token":"a\\r\\nb"}', '{"access_token":1}']) {
      answer = () => new Response(text);
      await expect(made.take(signal)).rejects.toBeInstanceOf(UpstreamFailure);
    }
    answer = good;
    expect(await made.take(signal)).toBe("t1");
  });
});

describe("a signature", () => {
  it("F107: covers time, method, path, query and body", async () => {
    const url = new URL("https://up.example/api/v1/x?y=1");
    const body = new TextEncoder().encode("hi");
    const asked = { method: "POST", url, body, atMs: 1_700_000_000_999 };
    const one = await signatureOf("secret", asked);
    // openssl: printf '1700000000.POST./api/v1/x?y=1.hi' | openssl dgst -sha256 -hmac secret
    expect(one).toBe(
      `t=1700000000,v1=7497e5854a40d20f049ca06ce75afecec3a666e5ecf7f01458f240a36a2b77ca`,
    );
    for (const other of [
      { ...asked, method: "PUT" },
      { ...asked, url: new URL("https://up.example/api/v1/x?y=2") },
      { ...asked, body: null },
      { ...asked, atMs: asked.atMs + 1000 },
    ]) {
      expect(await signatureOf("secret", other)).not.toBe(one);
    }
  });
});

describe("a spec's upstream", () => {
  const rules = {
    refusedUrl: (url: string) => (url.startsWith("https://up.") ? undefined : "is not reachable"),
    headerFault: (name: string) => (name === "Host" ? "is set by Berth" : undefined),
  };
  const faults = (part: object) =>
    checkUpstream(UpstreamSpec.parse({ url: BASE, ...part }), rules).map(({ pointer }) => pointer);

  it("is checked where it says where to, and with what", () => {
    expect(faults({})).toEqual([]);
    expect(faults({ url: "https://10.0.0.1/" })).toEqual(["/upstream/url"]);
    expect(faults({ url: `${BASE}?a=b` })).toEqual(["/upstream/url"]);
    expect(faults({ headers: { Host: "x" } })).toEqual(["/upstream/headers/Host"]);
    const oauth = { kind: "oauth2", client_id: "x", client_secret: { secret: "S" } };
    expect(faults({ auth: { ...oauth, token_url: "https://169.254.169.254/" } })).toEqual([
      "/upstream/auth/token_url",
    ]);
    const header = { kind: "header", name: "Host", value: { secret: "S" } };
    expect(faults({ auth: header })).toEqual(["/upstream/auth/name"]);
  });

  it("F205, F207: has the sources' numbers where it says none", () => {
    const spec = UpstreamSpec.parse({ url: BASE, health: {} });
    expect(spec).toMatchObject({
      timeout_ms: 30_000,
      keep_ms: 86_400_000,
      health: { interval_ms: 30_000, timeout_ms: 5000, failures: 3 },
    });
  });
});
