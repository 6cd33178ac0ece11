import { expect, it } from "vitest";
import { Problem } from "../problem.ts";
import { linesOf } from "./lines.ts";

function bodyOf(bytes: Uint8Array, sizes: readonly number[]): ReadableStream<Uint8Array> {
  let at = 0;
  let n = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      const size = sizes[n % sizes.length] ?? 1;
      n += 1;
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

async function read(text: string | Uint8Array, sizes: readonly number[], max = 1e6, line = 1e6) {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  const lines: string[] = [];
  for await (const { text: said, number } of linesOf(bodyOf(bytes, sizes), max, line)) {
    lines.push(said);
    expect(number).toBe(lines.length);
  }
  return lines;
}

const code = (promise: Promise<unknown>) =>
  promise.then(
    () => "read",
    (error: unknown) => (error instanceof Problem ? error.code : "defect"),
  );

it("F15: lines come whole, however their bytes arrive", async () => {
  const text = '{"a":"ß😀"}\n\n{"b":"\u2028"}\nx\n';
  for (const sizes of [[1], [2], [3], [7, 1], [1000]]) {
    expect(await read(text, sizes)).toEqual(['{"a":"ß😀"}', "", '{"b":"\u2028"}', "x"]);
  }
  expect(await read("", [1])).toEqual([]);
});

it("F15, G14: a file that is too large, cut off, or no text is refused while it is read", async () => {
  expect(await code(read("abc\nabc\n", [3], 7))).toBe("too_large");
  expect(await code(read("abcdefgh", [3], 100, 5))).toBe("too_large");
  expect(await code(read("abc\nabc", [3]))).toBe("invalid");
  expect(await code(read(Uint8Array.from([0x61, 0xff, 0x0a]), [1]))).toBe("invalid");
});

it("F15: a sender that goes away is told from a file that is wrong", async () => {
  const body = new ReadableStream<Uint8Array>({
    pull() {
      throw new Error("the connection is gone");
    },
  });
  const lines = linesOf(body, 100, 100);
  expect(await code(lines.next())).toBe("bad_request");
});
