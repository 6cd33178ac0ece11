import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../core/problem.ts";
import suite from "../../tests/fixtures/vectors/json_test_suite.json";
import { BODY_LIMIT, keepJson, parseJson, readBytes, readJson } from "./body.ts";
import { DEPTH_LIMIT } from "../../core/json/scan.ts";

const encoder = new TextEncoder();

/** The value, or the code of the refusal. */
function outcome(bytes: Uint8Array): unknown {
  try {
    return { value: parseJson(bytes) };
  } catch (error) {
    if (error instanceof Problem) return { refused: error.code, status: error.status };
    throw error;
  }
}

const MALFORMED = { refused: "malformed_json", status: 400 };
const bytesOf = (text: string) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

type Case = { readonly name: string; readonly expect?: string; readonly b64?: string };
const cases: readonly Case[] = suite.cases;
const expected = (what: string) =>
  cases.flatMap(({ name, expect, b64 }) =>
    expect === what && b64 !== undefined ? [[name, bytesOf(b64)] as const] : [],
  );

/** Well-formed, and refused by the rules this module adds (see its head). */
const ADDED_RULES = new Set(["y_object_escaped_null_in_key.json", "y_string_null_escape.json"]);

describe("JSONTestSuite", () => {
  it("is all there", () => {
    const counts = ["reject", "accept", "either"].map((what) => expected(what).length);
    expect(counts).toEqual([186, 95, 35]);
  });

  it.each(expected("reject"))("G14: refuses %s with 400", (_name, bytes) => {
    expect(outcome(bytes)).toEqual(MALFORMED);
  });

  it.each(expected("accept"))(
    "%s: its value, or a refusal by a rule we document",
    (name, bytes) => {
      const whole = { value: JSON.parse(new TextDecoder().decode(bytes)) };
      expect(outcome(bytes)).toEqual(ADDED_RULES.has(name) ? MALFORMED : whole);
    },
  );

  it.each(expected("either"))("%s: its value or a refusal, never a defect", (_name, bytes) => {
    expect(outcome(bytes)).toSatisfy(
      (it: object) => "value" in it || JSON.stringify(it) === JSON.stringify(MALFORMED),
    );
  });

  it.each([
    ["n_structure_100000_opening_arrays", "[".repeat(100_000)],
    ["n_structure_open_array_object", '[{"":'.repeat(50_000)],
  ])("G14: refuses %s, which is too large to keep here", (_name, text) => {
    expect(outcome(encoder.encode(text))).toEqual(MALFORMED);
  });
});

describe("G14: rules beyond the grammar", () => {
  it.each([
    ["NUL in a string", '"a\\u0000b"'],
    ["NUL in a key", '{"\\u0000":1}'],
    ["NUL as a byte", '"a\0b"'],
    ["a lone high half", '"\\ud83d"'],
    ["a high half before text", '"\\ud83dx"'],
    ["a high half before another", '"\\ud83d\\ud83d\\ude00"'],
    ["a lone low half", '"\\ude00"'],
    ["halves the wrong way round", '"\\ude00\\ud83d"'],
    ["a half in a key", '{"\\uDBFF":1}'],
    ["a byte order mark", "\ufeff{}"],
    ["__proto__", '{"__proto__":{"a":1}}'],
    ["__proto__ below", '[{"a":{"__proto__":1}}]'],
    ["__proto__ in escapes", '{"\\u005f_proto_\\u005f":1}'],
    ["__pr\\u006fto__", '{"__pr\\u006fto__":1}'],
    ["a number beyond a double", "1e999"],
    ["a negative one", '{"a":[-1E+400]}'],
    ["a long one", "9".repeat(400)],
  ])("refuses %s", (_name, text) => {
    expect(outcome(encoder.encode(text))).toEqual(MALFORMED);
  });

  it("says where", () => {
    const place = (text: string) => {
      try {
        parseJson(encoder.encode(text));
      } catch (error) {
        return error instanceof Problem ? error.data.errors?.[0]?.pointer : undefined;
      }
      return undefined;
    };
    expect(place('{"a/b":[0,{"__proto__":1}]}')).toBe("/a~1b/1/__proto__");
    expect(place('{"a":[1,1e999]}')).toBe("/a/1");
  });

  it.each([
    ["a pair", '"\\ud83d\\ude00"', "😀"],
    ["a backslash before what looks like a NUL", '"\\\\u0000"', "\\u0000"],
    ["a backslash before what looks like a half", '"\\\\ud83d"', "\\ud83d"],
    ["braces in a string", `"${"[{".repeat(100)}"`, "[{".repeat(100)],
    ["__proto__ as a value", '["__proto__"]', ["__proto__"]],
    ["a small exponent", "1e-999", 0],
    ["the last of two equal keys", '{"a":1,"a":2}', { a: 2 }],
  ])("accepts %s", (_name, text, value) => {
    expect(outcome(encoder.encode(text))).toEqual({ value });
  });

  it.each([[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]])(
    "refuses bytes that are not UTF-8",
    (...bytes) => {
      expect(outcome(Uint8Array.from([0x22, ...bytes, 0x22]))).toEqual(MALFORMED);
    },
  );

  it("counts depth outside strings alone, up to the limit and no further", () => {
    const nested = (depth: number) => `${'{"[":['.repeat(depth / 2)}${"]}".repeat(depth / 2)}`;
    expect(outcome(encoder.encode(nested(DEPTH_LIMIT)))).toHaveProperty("value");
    expect(outcome(encoder.encode(nested(DEPTH_LIMIT + 2)))).toEqual(MALFORMED);
  });

  it("gives what JSON.parse gives, or a refusal, for any text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.string({ unit: "binary" })), (text) => {
        const found = outcome(encoder.encode(text));
        if (JSON.stringify(found) === JSON.stringify(MALFORMED)) return;
        expect(found).toEqual({
          value: JSON.parse(new TextDecoder().decode(encoder.encode(text))),
        });
      }),
      { numRuns: 2000 },
    );
  });

  it("never refuses plain JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8, stringUnit: "grapheme" }), (value) => {
        const text = JSON.stringify(value);
        if (/__proto__|\\u0000/.test(text)) return;
        expect(outcome(encoder.encode(text))).toEqual({ value: JSON.parse(text) });
      }),
    );
  });
});

/** A body that arrives in pieces, and says how much of it was asked for. */
function inPieces(pieces: number, sizeBytes: number, headers: Record<string, string> = {}) {
  let given = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (given === pieces) return controller.close();
        given += 1;
        controller.enqueue(new Uint8Array(sizeBytes).fill(0x20));
      },
    },
    { highWaterMark: 0 },
  );
  const request = new Request("http://acme.localhost/", { method: "POST", body, headers });
  return { request, given: () => given };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "accepted";
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe("G14: the length of a body is counted as it arrives", () => {
  it("and the rest of one that is too long is not read", async () => {
    const { request, given } = inPieces(1000, 1024);
    expect(await codeOf(readBytes(request, 10 * 1024))).toBe("too_large");
    expect(given()).toBeLessThan(20);
  });

  it("up to the very byte", async () => {
    expect((await readBytes(inPieces(4, 256).request, 1024)).length).toBe(1024);
    expect(await codeOf(readBytes(inPieces(4, 256).request, 1023))).toBe("too_large");
  });

  it("one that declares itself too long is not read at all", async () => {
    const { request, given } = inPieces(1, 10, { "content-length": String(BODY_LIMIT + 1) });
    expect(await codeOf(readBytes(request, BODY_LIMIT))).toBe("too_large");
    expect(given()).toBe(0);
  });
});

it("a sender that goes away in the middle of a body is refused, and no defect", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.error(new Error("Network connection lost."));
    },
  });
  const headers = { "content-type": "application/json" };
  const request = new Request("http://acme.localhost/", { method: "POST", body, headers });
  expect(await codeOf(readJson(request, { limitBytes: 100, optional: false }))).toBe("bad_request");
});

describe("the type of a body", () => {
  const post = (contentType: string | null, body = "{}") =>
    new Request("http://acme.localhost/", {
      method: "POST",
      body: encoder.encode(body),
      ...(contentType === null ? {} : { headers: { "content-type": contentType } }),
    });
  const options = { limitBytes: 100, optional: false };

  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/vnd.berth+json",
  ])("%s is JSON", async (contentType) => {
    expect(await readJson(post(contentType), options)).toEqual({});
  });

  it.each([
    null,
    "",
    "text/plain",
    "text/json",
    "application/jsonp",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json; charset=utf-16",
    "application/json; charset=latin1",
  ])("%s is not", async (contentType) => {
    expect(await codeOf(readJson(post(contentType), options))).toBe("unsupported_media_type");
  });

  it("an absent body is an object only where it may be absent", async () => {
    const absent = () => new Request("http://acme.localhost/", { method: "POST" });
    expect(await readJson(absent(), { limitBytes: 1, optional: true })).toEqual({});
    expect(await codeOf(readJson(absent(), options))).toBe("unsupported_media_type");
  });

  it("an empty body that declares its length is an absent one", async () => {
    const headers = { "content-length": "0" };
    const empty = () =>
      new Request("http://acme.localhost/", { method: "POST", headers, body: "" });
    expect(await keepJson(empty(), 100)).toBeNull();
    expect(await readJson(empty(), { limitBytes: 1, optional: true })).toEqual({});
  });

  it("what an earlier stage read, a later one reads again", async () => {
    const request = post("application/json", '{"a":1}');
    expect(await keepJson(request, 100)).toEqual({ a: 1 });
    expect(await readJson(request, options)).toEqual({ a: 1 });
  });
});
