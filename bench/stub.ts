/**
 * The model of every measurement: a process of its own that answers OpenAI chat completions as
 * cheaply as Node can, so that what is measured is what stands before it.
 *
 *     node bench/stub.ts            → one line of JSON, {"port"}
 *
 * Model `stub` answers at once; `stub-N` waits N ms before the answer, or before the first token;
 * `stub-N-calls-M` asks for the tool `now` M times, one after the other, before it answers.
 */
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import { endWith } from "../tools/lifeline.ts";

const WORDS = ["A ", "fast ", "and ", "constant ", "answer."] as const;
const USAGE = { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 };

const PLAIN = JSON.stringify({
  id: "chatcmpl-stub",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "stub",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: WORDS.join("") },
      finish_reason: "stop",
    },
  ],
  usage: USAGE,
});
const PLAIN_HEADERS = {
  "content-type": "application/json",
  "content-length": String(Buffer.byteLength(PLAIN)),
};
const STREAM_HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };

const FIRST = sse(chunk({ role: "assistant", content: WORDS[0] }));
const REST = [
  ...WORDS.slice(1).map((content) => sse(chunk({ content }))),
  sse(chunk({}, "stop")),
  sse({ ...chunk({}), choices: [], usage: USAGE }),
  "data: [DONE]\n\n",
].join("");

function chunk(delta: object, finishReason: string | null = null) {
  return {
    id: "chatcmpl-stub",
    object: "chat.completion.chunk",
    created: 1_700_000_000,
    model: "stub",
    choices: [{ index: 0, delta, finish_reason: finishReason }],
  };
}

function sse(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function called(body: string): string {
  const told = body.split('"role":"tool"').length - 1;
  const call = { id: `call_${told}`, type: "function", function: { name: "now", arguments: "{}" } };
  const message = { role: "assistant", content: null, tool_calls: [call] };
  const plain = JSON.parse(PLAIN) as object;
  return JSON.stringify({
    ...plain,
    choices: [{ index: 0, message, finish_reason: "tool_calls" }],
  });
}

function answer(body: string, response: ServerResponse): void {
  const calls = Number(/"model":"stub-\d{1,5}-calls-(\d{1,2})"/.exec(body)?.[1] ?? 0);
  if (calls > 0 && body.split('"role":"tool"').length - 1 < calls) {
    response.writeHead(200, { "content-type": "application/json" }).end(called(body));
    return;
  }
  if (!body.includes('"stream":true')) {
    response.writeHead(200, PLAIN_HEADERS).end(PLAIN);
    return;
  }
  response.writeHead(200, STREAM_HEADERS);
  response.write(FIRST);
  // A write of its own, so that a reader can see the first token before the end.
  setImmediate(() => response.end(REST));
}

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const body = parts.length === 1 ? String(parts[0]) : Buffer.concat(parts).toString();
    const delayMs = Number(/"model":"stub-(\d{1,5})["-]/.exec(body)?.[1] ?? 0);
    if (delayMs === 0) answer(body, response);
    else setTimeout(answer, delayMs, body, response);
  });
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ port })}\n`);
});
endWith(async () => server.closeAllConnections());
