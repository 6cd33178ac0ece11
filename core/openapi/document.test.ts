import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type DescribedRoute, openApiDocument, templated } from "./document.ts";
import { documentPage } from "./page.ts";

const ROUTES: readonly DescribedRoute[] = [
  {
    method: "PATCH",
    path: "/v1/agents/:id",
    scope: "agents:write",
    summary: "Change <an> agent",
    param: z.object({ id: z.string().max(80) }),
    header: z.object({ "if-match": z.string() }),
    query: z.object({ limit: z.coerce.number().int().default(25) }),
    json: z.strictObject({ name: z.string().min(1).max(64) }),
    answers: [{ status: 200, description: "the agent", schema: z.object({ id: z.string() }) }],
  },
  { method: "GET", path: "/health", scope: "open", summary: "Alive", answers: [] },
  {
    method: "POST",
    path: "/v1/keys",
    scope: "keys:write",
    summary: "Create",
    answers: [{ status: 204, description: "done" }],
  },
];
const ABOUT = { title: "Berth", version: "1", origin: "http://acme.localhost" };

describe("the OpenAPI document", () => {
  const document = openApiDocument(ROUTES, ABOUT);

  it("says of each route its scope, parameters, body and answers", () => {
    const patch = document.paths["/v1/agents/{id}"]?.["patch"];
    expect(patch?.["x-scope"]).toBe("agents:write");
    expect(patch?.parameters?.map(({ name, in: place }) => `${place}:${name}`)).toEqual([
      "path:id",
      "query:limit",
      "header:if-match",
    ]);
    expect(patch?.requestBody?.content["application/json"]?.schema).toMatchObject({
      type: "object",
      required: ["name"],
      additionalProperties: false,
    });
    expect(Object.keys(patch?.responses ?? {})).toEqual(["200", "default"]);
  });

  it("leaves open routes without security and offers the idempotency key on every other POST", () => {
    expect(document.paths["/health"]?.["get"]?.security).toEqual([]);
    expect(document.paths["/v1/keys"]?.["post"]?.parameters?.[0]?.name).toBe("Idempotency-Key");
  });

  it("refers to nothing that is not in it, also for a schema that comes back to itself", () => {
    const any = z.record(z.string(), z.json());
    const answers = [{ status: 200, description: "it", schema: z.object({ any }) }];
    const route = { method: "POST", path: "/v1/any", scope: "any:write", summary: "Any" };
    const text = JSON.stringify(openApiDocument([{ ...route, json: any, answers }], ABOUT));
    const references = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, to]) => to));
    expect([...references]).toEqual(["#/components/schemas/Problem"]);
  });

  it("closes what it takes and leaves open what it answers", () => {
    const schema = z.strictObject({ id: z.string() });
    const answers = [{ status: 200, description: "it", schema }];
    const route = { method: "POST", path: "/v1/x", scope: "x:write", summary: "X" };
    const text = JSON.stringify(openApiDocument([{ ...route, json: schema, answers }], ABOUT));
    expect(text.match(/"additionalProperties":false/g)).toHaveLength(1);
  });

  it("writes path parameters in the document's form", () => {
    expect(templated("/v1/agents/:id/versions/:number{[0-9]+}")).toBe(
      "/v1/agents/{id}/versions/{number}",
    );
  });
});

describe("the page", () => {
  const page = documentPage(openApiDocument(ROUTES, ABOUT));

  it("loads nothing from anywhere and runs nothing", () => {
    expect(page).not.toMatch(/<script|<link|<img|https?:\/\/(?!acme)|@import|url\(/);
  });

  it("escapes what the document says", () => {
    expect(page).toContain("Change &lt;an&gt; agent");
    expect(page).not.toContain("<an>");
  });

  it("says what a body may hold, as far down as it goes", () => {
    const page = documentPage(
      openApiDocument(
        [
          {
            method: "POST",
            path: "/v1/things",
            scope: "things:write",
            summary: "Make",
            json: z.object({
              tags: z.array(z.string().max(9)).max(3),
              shape: z.discriminatedUnion("kind", [
                z.object({ kind: z.literal("dot"), x: z.number().int() }),
                z.object({ kind: z.literal("line"), length: z.number().min(1) }),
              ]),
            }),
            answers: [],
          },
        ],
        ABOUT,
      ),
    );
    const text = page.replaceAll(/<style>[^]*?<\/style>/g, "").replaceAll(/<[^>]+>/g, "");
    expect(text).toContain("tags array of string, at most 9 characters, at most 3 items");
    expect(text).toContain("length number, at least 1");
    expect(text).toContain("x integer, required");
  });

  it("names every route", () => {
    for (const { path } of ROUTES) expect(page).toContain(templated(path));
  });
});
