import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Problem } from "../../core/problem.ts";
import { app } from "../app.ts";
import { answers, may, newRoutes, open, routeTable, takes } from "./routes.ts";

const Body = z.strictObject({ name: z.string(), tags: z.array(z.string()).optional() });
const At = z.object({
  "if-match": z
    .string()
    .regex(/^"\d+"$/)
    .transform((tag) => Number(tag.slice(1, -1))),
});

describe("the route table", () => {
  const nouns = newRoutes()
    .get("/", open("List"), (c) => c.text(""))
    .post(
      "/:id",
      may("agents:write", "Make"),
      takes("json", Body),
      answers(201, Body, "It."),
      (c) => c.text(""),
    )
    .delete("/:id", (c) => c.body(null, 204));
  const table = routeTable(new Hono().use(open()).route("/v1/nouns", nouns));

  it("says what was declared, once per method and path", () => {
    expect(table.map(({ method, path, scope, summary }) => [method, path, scope, summary])).toEqual(
      [
        ["GET", "/v1/nouns", "open", "List"],
        ["POST", "/v1/nouns/:id", "agents:write", "Make"],
        ["DELETE", "/v1/nouns/:id", "undeclared", ""],
      ],
    );
    expect(table[1]).toMatchObject({ json: Body, answers: [{ status: 201, schema: Body }] });
  });
});

describe("the product's routes", () => {
  const table = app.routes();

  it("are many, on both hosts", () => {
    expect(table.length).toBeGreaterThan(25);
    expect(new Set(table.map(({ host }) => host))).toEqual(new Set(["platform", "tenant"]));
  });

  it("F31: each says who may: a scope, or that it is open", () => {
    const undeclared = table.filter(({ scope }) => scope === "undeclared");
    expect(undeclared.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it("write only by methods that a cookie's Origin check covers", () => {
    expect(new Set(table.map(({ method }) => method))).toEqual(
      new Set(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    );
  });

  it("read nothing by GET from a body", () => {
    const odd = table.filter(({ method, json }) => method === "GET" && json !== undefined);
    expect(odd).toEqual([]);
  });
});

describe("takes", () => {
  const routes = new Hono()
    .post("/json", takes("json", Body), (c) => c.json(c.req.valid("json")))
    .post("/any", takes("json", z.looseObject({}), { optional: true, limitBytes: 10 }), (c) =>
      c.json(c.req.valid("json")),
    )
    .get("/query", takes("query", z.strictObject({ a: z.string().optional() })), (c) =>
      c.json(c.req.valid("query")),
    )
    .get("/at", takes("header", At), (c) => c.json(c.req.valid("header")))
    .get("/of/:id", takes("param", z.object({ id: z.string().max(5) })), (c) =>
      c.json(c.req.valid("param")),
    )
    .onError((error, c) =>
      error instanceof Problem ? c.json(error.data, 400) : c.text(String(error), 500),
    );

  const json = (body: string, path = "/json") =>
    routes.request(path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
  const of = async (answer: Response | Promise<Response>): Promise<unknown> =>
    (await answer).json();

  it("hands on what the schema made", async () => {
    expect(await of(json('{"name":"a"}'))).toEqual({ name: "a" });
    expect(await of(routes.request("/at", { headers: { "if-match": '"7"', x: "y" } }))).toEqual({
      "if-match": 7,
    });
    expect(await of(routes.request("/query?a=b%20c"))).toEqual({ a: "b c" });
    expect(await of(routes.request("/of/a%2Fb"))).toEqual({ id: "a/b" });
  });

  it.each([
    ["{}", ["/name"]],
    ['{"name":1}', ["/name"]],
    ['{"name":"a","tags":["b",2]}', ["/tags/1"]],
    ['{"name":"a","x/y":1,"~":2}', ["/x~1y", "/~0"]],
    ["[]", [""]],
    ["null", [""]],
  ])("G14: %s is refused with a pointer to each place", async (body, pointers) => {
    expect(await of(json(body))).toMatchObject({
      code: "invalid",
      errors: pointers.map((pointer) => ({ pointer })),
    });
  });

  it("G14: names at most twenty places, and nothing of what was there", async () => {
    const answer = await json(JSON.stringify({ name: "c4nary", tags: Array(1000).fill(7) }));
    const text = await answer.text();
    expect(JSON.parse(text).errors).toHaveLength(20);
    expect(text).not.toContain("c4nary");
  });

  it("G14: an odd query is refused by name", async () => {
    for (const [query, pointer] of [
      ["?b=1", "b"],
      ["?a=1&a=2", "a"],
      ["?a=%00", "a"],
      ["?__proto__=1", "__proto__"],
      ["?constructor=1", "constructor"],
    ]) {
      expect(await of(routes.request(`/query${query}`))).toMatchObject({
        code: "invalid",
        errors: [{ pointer }],
      });
    }
  });

  it("G14: an id that cannot be one is an id of nothing", async () => {
    for (const id of ["toolong", "%00", "a%00"]) {
      expect(await of(routes.request(`/of/${id}`))).toMatchObject({ code: "not_found" });
    }
  });

  it("a missing revision is asked for, a malformed one refused", async () => {
    expect(await of(routes.request("/at"))).toMatchObject({
      code: "precondition_required",
      errors: [{ pointer: "if-match" }],
    });
    for (const tag of ['W/"7"', "7", "*", '"x"', ""]) {
      const answer = routes.request("/at", { headers: { "if-match": tag } });
      expect(await of(answer)).toMatchObject({ code: "bad_request" });
    }
  });

  it("a body may be absent where it is optional, and is short where it must be", async () => {
    expect(await of(routes.request("/any", { method: "POST" }))).toEqual({});
    expect(await of(json('{"a":1}', "/any"))).toEqual({ a: 1 });
    expect(await of(json('{"a":12345}', "/any"))).toMatchObject({ code: "too_large" });
  });
});
