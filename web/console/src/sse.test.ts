import { describe, expect, it } from "vitest";
import { readSse, sseParser } from "./sse.ts";

const STREAM =
  ': heartbeat\n\nid: 1\nevent: message.delta\ndata: {"text":"über"}\n\n' +
  "id: 2\r\nevent: message.delta\r\ndata: a\r\ndata: b\r\n\r\nid: 3\rdata: c\r\r\n";

const EVENTS = [
  { id: "1", event: "message.delta", data: '{"text":"über"}' },
  { id: "2", event: "message.delta", data: "a\nb" },
  { id: "3", event: "message", data: "c" },
];

describe("sseParser", () => {
  it("yields the same events wherever the text is cut", () => {
    for (let size = 1; size <= STREAM.length; size += 1) {
      const parser = sseParser();
      const events = [];
      for (let at = 0; at < STREAM.length; at += size) {
        events.push(...parser.push(STREAM.slice(at, at + size)));
      }
      expect(events, `chunks of ${size}`).toEqual(EVENTS);
    }
  });

  it("keeps an event back until its blank line", () => {
    const parser = sseParser();
    expect(parser.push("data: half")).toEqual([]);
    expect(parser.push("\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ id: "", event: "message", data: "half" }]);
  });

  it("takes one space after the colon away and no more", () => {
    expect(sseParser().push("data:  two\n\n")).toEqual([
      { id: "", event: "message", data: " two" },
    ]);
  });
});

describe("readSse", () => {
  it("joins a character that two chunks share", async () => {
    const bytes = new TextEncoder().encode('data: "ü€😀"\n\n');
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const data: string[] = [];
    for await (const event of readSse(body)) data.push(event.data);
    expect(data).toEqual(['"ü€😀"']);
  });
});
