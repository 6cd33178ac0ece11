import { describe, expect, it } from "vitest";
import { LlmSpec } from "../agents/spec.ts";
import { Problem } from "../problem.ts";
import { checkTools } from "../tools/check.ts";
import type { ToolSpec } from "../tools/contract.ts";
import { specFaults, validateSpec } from "./validate.ts";

const PORTS = {
  providers: ["openai"],
  toolFaults: (tools: readonly ToolSpec[]) =>
    checkTools(tools, (url) => (url.startsWith("https://") ? undefined : "only https")),
  upstreamFaults: () => [],
};

function pointers(part: object): readonly string[] {
  const spec = LlmSpec.parse({ kind: "llm", ...part });
  return specFaults(spec, PORTS).map(({ pointer }) => pointer);
}

const TOOL = {
  kind: "http",
  name: "lookup",
  description: "Looks an order up.",
  url: "https://orders.example/{order}",
  input_schema: {
    type: "object",
    properties: { order: { type: "string" } },
    required: ["order"],
  },
};

const tool = (part: object) => pointers({ tools: [{ ...TOOL, ...part }] });

describe("a spec that can run", () => {
  it("has no faults", () => {
    expect(pointers({})).toEqual([]);
    expect(pointers({ model: "openai/gpt-x", fallback: ["local/extract"] })).toEqual([]);
    expect(pointers({ tools: [TOOL, { kind: "clock" }] })).toEqual([]);
    expect(tool({ url: "https://orders.example/find?q={order}&again={order}" })).toEqual([]);
  });
});

describe("a spec that cannot run is refused with where", () => {
  it("names a model of nobody, or one that local has not", () => {
    expect(pointers({ model: "nobody/gpt" })).toEqual(["/model"]);
    expect(pointers({ model: "local/gpt" })).toEqual(["/model"]);
    expect(pointers({ fallback: ["openai/a", "nobody/b"] })).toEqual(["/fallback/1"]);
  });

  it("falls back on what was tried", () => {
    expect(pointers({ model: "openai/a", fallback: ["openai/a"] })).toEqual(["/fallback/0"]);
    expect(pointers({ fallback: ["openai/a", "openai/a"] })).toEqual(["/fallback/1"]);
  });

  it("gives two tools or two passages one name", () => {
    expect(pointers({ tools: [{ kind: "clock" }, { kind: "clock" }] })).toEqual(["/tools/1/name"]);
    const item = { title: "Prices", text: "x" };
    expect(pointers({ knowledge: [item, item] })).toEqual(["/knowledge/1/title"]);
  });

  it("waits longer at first than at most", () => {
    expect(pointers({ retry: { base_ms: 2, cap_ms: 1 } })).toEqual(["/retry/base_ms"]);
  });

  it.each([
    ["an argument that is not declared", "https://orders.example/{other}"],
    ["an empty placeholder", "https://orders.example/{}"],
    ["a brace that does not close", "https://orders.example/{order"],
    ["a brace that does not open", "https://orders.example/order}"],
    ["no scheme", "orders.example/{order}"],
    ["a scheme that egress refuses", "http://orders.example/{order}"],
    ["a host that an argument chooses", "https://{order}.example/"],
    ["a host that ends in an argument", "https://orders.example{order}/"],
    ["a port that an argument chooses", "https://orders.example:{order}/"],
    ["a user that an argument chooses", "https://{order}@orders.example/"],
  ])("has a URL with %s", (_what, url) => {
    expect(tool({ url })).toEqual(["/tools/0/url"]);
  });

  it("names placeholders that look declared by JavaScript alone", () => {
    expect(tool({ url: "https://orders.example/{constructor}" })).toEqual(["/tools/0/url"]);
    expect(tool({ url: "https://orders.example/{__proto__}" })).toEqual(["/tools/0/url"]);
  });

  it("sets headers that are not its own, or breaks out of one", () => {
    expect(tool({ headers: { Host: "x" } })).toEqual(["/tools/0/headers/Host"]);
    expect(tool({ headers: { "Idempotency-Key": "x" } })).toEqual([
      "/tools/0/headers/Idempotency-Key",
    ]);
    expect(tool({ headers: { "X-A": "a\r\nX-B: b" } })).toEqual(["/tools/0/headers/X-A"]);
  });

  it("describes arguments that are no object, or by a schema elsewhere", () => {
    const properties = { order: { type: "string" } };
    const required = ["order"];
    expect(tool({ input_schema: { type: "array", properties, required } })).toEqual([
      "/tools/0/input_schema/type",
    ]);
    const remote = {
      type: "object",
      properties,
      required,
      allOf: [{ "a/b": { $ref: "https://evil.example/s.json" } }],
    };
    expect(tool({ input_schema: remote })).toEqual(["/tools/0/input_schema/allOf"]);
  });

  it("is a problem that lists them all", () => {
    const spec = LlmSpec.parse({ kind: "llm", model: "a/b", tools: [{ ...TOOL, url: "x" }] });
    const refused = () => validateSpec(spec, PORTS);
    expect(refused).toThrow(Problem);
    expect(refused).toThrow("spec_invalid");
  });
});
