import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { templated } from "../../core/openapi/document.ts";
import { SCOPES, TENANT_SCOPES } from "../../core/principals/contract.ts";
import { app } from "../../workers/app.ts";
import { type TestTenant, askPlatform, newWorld } from "../fixtures/world.ts";

const Document = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        "x-scope": z.string(),
        summary: z.string(),
        responses: z.record(z.string(), z.unknown()),
        parameters: z.array(z.object({ name: z.string(), in: z.string() })).default([]),
      }),
    ),
  ),
});

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

describe("routes, document and scopes", () => {
  it("F31: every route declares its scope or openness, a summary and its answers", () => {
    const lacking = app.routes().filter(({ scope, summary, answers }) => {
      const known = scope === "open" || SCOPES.some((it) => it === scope);
      return !known || summary === "" || answers.length === 0;
    });
    expect(lacking.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it("every scope a tenant can hold opens something at its host, but the reserved ones", () => {
    const opened = new Set<string>(
      app.routes().flatMap(({ host, scope }) => (host === "tenant" ? [scope] : [])),
    );
    const idle = TENANT_SCOPES.filter((scope) => !opened.has(scope));
    const reserved = ["create", "read", "update", "delete", "invoke"];
    expect(idle).toEqual(["sessions:read", ...reserved.map((verb) => `external-agents:${verb}`)]);
  });

  it("the document says of each route what the route says of itself, and of no other", async () => {
    for (const host of ["tenant", "platform"] as const) {
      const answer = await (host === "tenant" ? acme.ask : askPlatform)("/openapi.json", {
        as: null,
      });
      const { paths } = Document.parse(await answer.json());
      const routes = app.routes().filter((it) => it.host === host && !it.path.endsWith("*"));
      const documented = Object.entries(paths).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, it]) => `${method} ${path} ${it["x-scope"]}`),
      );
      expect(documented.toSorted()).toEqual(
        routes
          .map(({ method, path, scope }) => `${method.toLowerCase()} ${templated(path)} ${scope}`)
          .toSorted(),
      );
    }
  });

  it("the document names the host it was asked at", async () => {
    for (const tenant of [acme, globex]) {
      const document = await tenant.json("/openapi.json", 200, { as: null });
      expect(document).toMatchObject({ servers: [{ url: tenant.origin }] });
    }
  });

  it("the document refers to nothing that is not in it", async () => {
    const text = await (await acme.ask("/openapi.json", { as: null })).text();
    const references = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, to]) => to));
    expect([...references]).toEqual(["#/components/schemas/Problem"]);
  });

  it("names every parameter of a path, and every operation once", async () => {
    const { paths } = Document.parse(await acme.json("/openapi.json", 200));
    const ids = Object.values(paths).flatMap((it) => Object.values(it).map((op) => op.operationId));
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, operations] of Object.entries(paths)) {
      const named = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => String(name));
      for (const { parameters } of Object.values(operations)) {
        const declared = parameters.filter((it) => it.in === "path").map(({ name }) => name);
        expect([path, declared.toSorted()]).toEqual([path, named.toSorted()]);
      }
    }
  });
});

describe("pages", () => {
  it("/docs is readable without a script and loads nothing from anywhere", async () => {
    const answer = await acme.ask("/docs", { as: null });
    const page = await answer.text();
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(answer.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='/,
    );
    expect(page).toContain("/v1/agents/{id}/deployments");
    expect(page).not.toMatch(/<script|<link|<img|<iframe|src=|@import|url\(/);
  });

  it("the policy of /docs names the very style that is in it", async () => {
    const answer = await acme.ask("/docs", { as: null });
    const style = /<style>([\s\S]*?)<\/style>/.exec(await answer.text())?.[1] ?? "";
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
    const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
    expect(answer.headers.get("content-security-policy")).toContain(`'sha256-${hash}'`);
  });

  it("the console's page is served at each of its addresses, and never framed", async () => {
    for (const path of ["/", "/console", "/console/agents/support", "/a/support"]) {
      const answer = await acme.ask(path, { as: null });
      expect([path, answer.status]).toEqual([path, 200]);
      expect(answer.headers.get("content-type")).toContain("text/html");
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
      expect(answer.headers.get("referrer-policy")).toBe("same-origin");
      const policy = answer.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'self'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
    }
    expect((await acme.ask("/assets/none.js", { as: null })).status).toBe(404);
    expect((await acme.ask("/v1/none", { as: null })).status).toBe(404);
  });
});

describe("health", () => {
  it("F42: goes on without a credential, with an empty context", async () => {
    const alive = await askPlatform("/health", { as: null });
    expect(await alive.json()).toMatchObject({
      status: "ok",
      environment: { control_plane: "d1" },
      tenant_context: { tenant: null, user_id: null },
    });
    const ours = await acme.json("/health", 200, { as: null });
    expect(ours).toMatchObject({ tenant_context: { tenant: "acme" } });
    expect(await acme.json("/ready", 200, { as: null })).toEqual({ status: "ready" });
  });

  it("F212, F220: tells what is configured and whose context it is, without saying with what", async () => {
    const ours = await acme.json<{ environment: object }>("/health", 200);
    expect(ours).toMatchObject({
      status: "ok",
      version: expect.any(String) as unknown,
      environment: { database_configured: true },
      tenant_context: { tenant: "acme", workspace_id: acme.id, user_id: acme.keyId },
    });
    expect(JSON.stringify(ours.environment)).not.toContain(env.PLATFORM_KEY);
    const bad = await acme.json("/health", 200, { as: "berth_live_nothing" });
    expect(bad).toMatchObject({ tenant_context: { workspace_id: null, user_id: null } });
    const moved = await acme.ask("/redoc", { as: null });
    expect([moved.status, moved.headers.get("location")]).toEqual([302, "/docs"]);
  });

  it("publishes the public half of the signing key and nothing of the other", async () => {
    const jwks = await acme.json<{ keys: object[] }>("/.well-known/jwks.json", 200, { as: null });
    expect(jwks.keys).toHaveLength(1);
    const secret = z.object({ d: z.string() }).parse(JSON.parse(env.TOKEN_SIGNING_JWK)).d;
    expect(JSON.stringify(jwks)).not.toContain(secret);
  });
});
