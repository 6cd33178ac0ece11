/** What all answers have in common. */
import { beforeAll, describe, expect, it } from "vitest";
import { askPlatform, newWorld, request, type World } from "../../tests/fixtures/world.ts";

let world: World;
beforeAll(async () => {
  world = await newWorld();
});

const TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

describe("X-Request-Id", () => {
  it("is the caller's when it is harmless, and stands in the problem", async () => {
    const headers = { "x-request-id": "my-request:1.2_3" };
    const answer = await world.acme.ask("/nowhere", { headers });
    expect(answer.headers.get("x-request-id")).toBe("my-request:1.2_3");
    expect(await answer.json()).toMatchObject({
      request_id: "my-request:1.2_3",
      instance: "urn:request:my-request:1.2_3",
    });
  });

  it.each(["short", "x".repeat(129), "has space in it", "<script>alert(1)</script>", "a\tbcdefgh"])(
    "is a new one instead of %j",
    async (given) => {
      const answer = await world.acme.ask("/health", { headers: { "x-request-id": given } });
      expect(answer.headers.get("x-request-id")).toMatch(/^req_[0-9a-z]{26}$/);
    },
  );

  it("is on answers of every kind", async () => {
    const answers = [
      await world.acme.ask("/health", { as: null }),
      await world.acme.ask("/v1/agents", { as: null }),
      await request("http://nobody.localhost", "/"),
      await world.acme.ask("/v1/agents", {
        method: "OPTIONS",
        headers: { origin: "https://a.example", "access-control-request-method": "GET" },
      }),
    ];
    for (const answer of answers) {
      expect(answer.headers.get("x-request-id")).toMatch(/^req_/);
      await answer.text();
    }
  });
});

it("what was answered to a credential is kept by no cache, and guessed at by no browser", async () => {
  for (const answer of [
    await world.acme.ask("/v1/agents"),
    await world.acme.ask("/v1/agents", { as: null, headers: { "x-api-key": world.acme.key } }),
    await world.acme.ask("/v1/agents", { as: null, headers: { cookie: "berth=x" } }),
    await world.acme.ask("/v1/nowhere"),
  ]) {
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    await answer.text();
  }
});

describe("a page of another origin", () => {
  const origin = "https://elsewhere.example";

  it("may ask with a credential of its own, never with somebody's cookie", async () => {
    const answer = await world.acme.ask("/v1/agents", { headers: { origin } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
  });

  it("reads the headers that we send, and is promised no other", async () => {
    const answer = await world.acme.ask("/v1/agents", { headers: { origin } });
    const exposed = answer.headers.get("access-control-expose-headers")?.split(", ");
    expect(exposed).toEqual([
      "berth-invocation",
      "etag",
      "idempotency-replayed",
      "location",
      "ratelimit",
      "ratelimit-policy",
      "retry-after",
      "www-authenticate",
      "x-request-id",
    ]);
  });

  it("reads refusals too, those before the tenant is known included", async () => {
    for (const answer of [
      await world.acme.ask("/v1/agents", { as: null, headers: { origin } }),
      await request("http://nobody.localhost", "/v1/agents", { headers: { origin } }),
    ]) {
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      await answer.text();
    }
  });

  it("gets the same preflight at every host and path, which tells it nothing", async () => {
    const headers = {
      origin,
      "access-control-request-method": "PATCH",
      "access-control-request-headers": "authorization,if-match",
    };
    const preflight = { method: "OPTIONS", as: null, headers };
    const answers = [
      await world.acme.ask("/v1/agents", preflight),
      await world.acme.ask("/nowhere", preflight),
      await request("http://nobody.localhost", "/v1/agents", preflight),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(204);
      expect(answer.headers.get("access-control-allow-methods")).toContain("PATCH");
      expect(answer.headers.get("access-control-allow-headers")).toContain("if-match");
      expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
    }
  });
});

describe("a refusal", () => {
  it("F42: without a credential is 401 and says how to authenticate", async () => {
    const answer = await world.acme.ask("/v1/agents", { as: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="berth"');
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toMatchObject({
      code: "unauthenticated",
      status: 401,
      legacy_code: "AUTH_ERROR",
    });
  });

  it("F42: of a bad credential is 401 invalid_token", async () => {
    const answer = await world.acme.ask("/v1/agents", { as: "nonsense" });
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await answer.json()).toMatchObject({
      code: "invalid_token",
      legacy_code: "INVALID_TOKEN",
    });
  });

  it("F42: open routes answer without a credential, and with a bad one", async () => {
    expect((await world.acme.ask("/health", { as: null })).status).toBe(200);
    expect((await world.acme.ask("/health", { as: "nonsense" })).status).toBe(200);
  });

  it("of a path that is not there is 404, of a method that is not there 405 with those that are", async () => {
    expect((await world.acme.ask("/v1/nowhere")).status).toBe(404);
    const answer = await world.acme.ask("/v1/agents", { method: "DELETE" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, POST");
    expect(await answer.json()).toMatchObject({ code: "method_not_allowed" });
  });

  it("does not repeat the path, the query or a header of the request", async () => {
    const answer = await askPlatform("/v1/c4nary?c4nary=1", { headers: { "x-c4nary": "c4nary" } });
    expect(answer.status).toBe(404);
    expect(await answer.text()).not.toContain("c4nary");
  });
});

it("a traceparent is taken along when it is one", async () => {
  const { traceparentOf } = await import("./request-id.ts");
  const of = (traceparent: string) => traceparentOf(new Headers({ traceparent }));
  expect(of(TRACE)).toBe(TRACE);
  for (const bad of [
    "",
    TRACE.toUpperCase(),
    TRACE.replace("00-", "ff-"),
    TRACE.replace(/4bf9[0-9a-f]{28}/, "0".repeat(32)),
    TRACE.replace("00f067aa0ba902b7", "0".repeat(16)),
    `${TRACE}-x`,
  ]) {
    expect(of(bad)).toBeUndefined();
  }
});

it("F195: over TLS every answer tells browsers to stay there, and no other does", async () => {
  for (const path of ["/health", "/v1/agents", "/v1/nowhere"]) {
    for (const [origin, told] of [
      ["https://acme.localhost", "max-age=31536000"],
      ["https://nobody.localhost", "max-age=31536000"],
      ["http://acme.localhost", null],
    ] as const) {
      const answer = await request(origin, path);
      expect(answer.headers.get("strict-transport-security")).toBe(told);
      await answer.text();
    }
  }
});
