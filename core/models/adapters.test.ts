import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startModelServer, type ModelServer } from "../../tests/fixtures/model-server.ts";
import { egressFetch } from "../egress/fetch.ts";
import { createChatCodec } from "./chat-codec.ts";
import type { ProviderAccess } from "./chat-wire.ts";
import { ModelFailure, type Model, type ModelAnswer, type ModelRequest } from "./contract.ts";
import { createOpenAi } from "./openai.ts";

/**
 * The package and the codec against one provider: whatever the package does, the codec does.
 */
const KEY = "sk-test-abcdefghijklmnopqrstuvwxyz-1234";

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(async () => {
  await server.close();
});
beforeEach(() => {
  server.log.clear();
});

const ADAPTERS: readonly (readonly [string, (access: ProviderAccess) => Model])[] = [
  ["openai", createOpenAi],
  ["codec", createChatCodec],
];

function access(overrides: Partial<ProviderAccess> = {}): ProviderAccess {
  const allow = [`127.0.0.1:${server.port}`];
  return {
    baseUrl: server.url,
    apiKey: KEY,
    fetch: egressFetch(fetch, { allow, ownHosts: [] }, { maxBytes: 4 * 1024 * 1024 }),
    ...overrides,
  };
}

function request(model: string, overrides: Partial<ModelRequest> = {}): ModelRequest {
  return {
    model,
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: 'say "héllo" 😀' },
    ],
    tools: [],
    parameters: {},
    idempotencyKey: `inv_1/model.0#${model}`,
    ...overrides,
  };
}

const TOOLS: ModelRequest["tools"] = [
  {
    name: "lookup",
    description: "Finds an order.",
    inputSchema: { type: "object", properties: { id: { type: "string" } }, required: ["id"] },
  },
];

type Outcome = {
  readonly answer?: ModelAnswer;
  readonly failure?: Pick<ModelFailure, "problem" | "retryable" | "retryAfterMs">;
  readonly deltas: string;
};

async function outcome(model: Model, asked: ModelRequest, streamed: boolean): Promise<Outcome> {
  let deltas = "";
  const onDelta = (text: string): void => void (deltas += text);
  const signal = AbortSignal.timeout(10_000);
  try {
    const answer = await model.answer(asked, streamed ? { signal, onDelta } : { signal });
    return { answer, deltas };
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error;
    const { problem, retryable, retryAfterMs } = error;
    return { failure: { problem, retryable, retryAfterMs }, deltas };
  }
}

const NAMES = [
  "echo",
  "fast",
  "stream-7",
  "no-usage",
  "mad-usage",
  "length",
  "filtered",
  "tool-call",
  "tool-many-3",
  "tool-broken",
  "tool-proto",
  "tool-unknown",
  "tool-huge",
  "status-400",
  "status-401",
  "status-403",
  "status-404",
  "status-408",
  "status-409",
  "status-422",
  "status-429",
  "status-500",
  "status-503",
  "redirect",
  "close",
  "close-midstream",
  "no-finish",
  "broken-json",
  "broken-chunk",
  "error-in-stream",
  "empty",
  "huge-5",
];

describe.each([
  ["plain", false],
  ["streamed", true],
])("%s", (_name, streamed) => {
  it.each(NAMES)("F79: the codec does with %s what the package does", async (name) => {
    const asked = request(name, name.startsWith("tool") ? { tools: TOOLS } : {});
    const oracle = await outcome(createOpenAi(access()), asked, streamed);
    const codec = await outcome(createChatCodec(access()), asked, streamed);
    expect(codec).toEqual(oracle);
    const [first, second] = server.requests;
    expect(second?.body && JSON.parse(second.body)).toEqual(first?.body && JSON.parse(first.body));
    expect(second?.headers.authorization).toBe(first?.headers.authorization);
    expect(second?.key).toBe(asked.idempotencyKey);
    expect(server.requests).toHaveLength(2); // no retries inside
    expect(JSON.stringify(codec)).not.toContain("sk-tes");
  });
});

describe.each(ADAPTERS)("%s", (_name, create) => {
  it("F79: sends history, tools and parameters the way the API wants them", async () => {
    const asked = request("echo", {
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" },
        {
          role: "assistant",
          content: "",
          toolCalls: [{ id: "call_0", name: "lookup", arguments: '{"id":"7"}' }],
        },
        { role: "tool", content: "found", toolCallId: "call_0" },
        { role: "assistant", content: "done" },
        { role: "user", content: "again" },
      ],
      tools: TOOLS,
      parameters: { temperature: 0, top_p: 0.5, max_output_tokens: 9, stop: ["\n"] },
    });
    await outcome(create(access()), asked, false);
    expect(JSON.parse(server.requests[0]?.body ?? "")).toEqual({
      model: "echo",
      messages: [
        { role: "system", content: "s" },
        { role: "user", content: "u" },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            {
              id: "call_0",
              type: "function",
              function: { name: "lookup", arguments: '{"id":"7"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "call_0", content: "found" },
        { role: "assistant", content: "done" },
        { role: "user", content: "again" },
      ],
      tools: [
        {
          type: "function",
          function: {
            name: "lookup",
            description: "Finds an order.",
            parameters: TOOLS[0]?.inputSchema,
          },
        },
      ],
      temperature: 0,
      top_p: 0.5,
      max_tokens: 9,
      stop: ["\n"],
    });
  });

  it("F79: streams the very text it answers, and asks for usage", async () => {
    const { answer, deltas } = await outcome(create(access()), request("stream-9"), true);
    expect(deltas).toBe(answer?.text);
    expect(answer?.usage.estimated).toBe(false);
    expect(JSON.parse(server.requests[0]?.body ?? "")).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  it("puts streamed tool calls together by index", async () => {
    const asked = request("tool-many-3", {
      tools: TOOLS,
      messages: [{ role: "user", content: 'lookup {"id":"é-1"}' }],
    });
    const { answer } = await outcome(create(access()), asked, true);
    expect(answer).toMatchObject({
      finishReason: "tool_calls",
      toolCalls: [0, 1, 2].map((n) => ({
        id: `call_${n}`,
        name: "lookup",
        arguments: '{"id":"é-1"}',
      })),
    });
  });

  it("estimates and marks usage where the provider sends none or nonsense", async () => {
    const none = await outcome(create(access()), request("no-usage"), false);
    expect(none.answer?.usage).toEqual({ inputTokens: 7, outputTokens: 6, estimated: true });
    const mad = await outcome(create(access()), request("mad-usage"), true);
    expect(mad.answer?.usage.estimated).toBe(true);
  });

  it.each([
    ["status-401", false],
    ["status-404", false],
    ["status-422", false],
    ["redirect", false],
    ["status-429", true],
    ["status-500", true],
    ["close", true],
    ["close-midstream", true],
    ["broken-json", true],
    ["no-finish", true],
  ])("tells whether %s is worth another try: %s", async (name, retryable) => {
    const { failure } = await outcome(create(access()), request(name), true);
    expect(failure).toMatchObject({ retryable, problem: { code: "model_failed" } });
  });

  it("passes Retry-After on", async () => {
    const { failure } = await outcome(create(access()), request("status-429"), false);
    expect(failure).toMatchObject({ retryAfterMs: 1000, problem: { retryAfterMs: 1000 } });
  });

  it.each([
    ["hang", false],
    ["drip", false],
    ["hang-midstream", false],
    ["hang", true],
    ["hang-midstream", true],
  ])(
    "leaves a provider that does %s (streamed: %s) when its time is up",
    async (name, streamed) => {
      const signal = AbortSignal.timeout(150);
      const options = streamed ? { signal, onDelta: () => undefined } : { signal };
      const answer = create(access()).answer(request(name), options);
      await expect(answer).rejects.toMatchObject({ retryable: true, problem: { code: "timeout" } });
      await server.log.wait(1, { state: "aborted" });
    },
  );

  it("a cancel reaches the call in flight", async () => {
    const controller = new AbortController();
    const answer = create(access()).answer(request("hang"), { signal: controller.signal });
    const ended = answer.catch((error: unknown) => error);
    await server.log.wait(1, { state: "open" });
    controller.abort();
    expect(await ended).toMatchObject({ retryable: false });
    await server.log.wait(1, { state: "aborted" });
  });

  it("a cancel reaches the stream in flight", async () => {
    const controller = new AbortController();
    const options = { signal: controller.signal, onDelta: (): void => controller.abort() };
    const answer = create(access()).answer(request("hang-midstream"), options);
    await expect(answer).rejects.toMatchObject({ retryable: false });
    await server.log.wait(1, { state: "aborted" });
  });

  it("sends no credential where there is none", async () => {
    await outcome(create(access({ apiKey: null })), request("echo"), false);
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
  });

  it("never sends a request to where the egress rule forbids it", async () => {
    const fetcher = egressFetch(fetch, { allow: [], ownHosts: [] });
    const { failure } = await outcome(create(access({ fetch: fetcher })), request("echo"), false);
    expect(failure).toMatchObject({ retryable: false });
    expect(server.requests).toHaveLength(0);
  });

  it("keeps the query of a base URL and needs no trailing slash", async () => {
    const baseUrl = `${server.url}/?api-version=1`;
    await outcome(create(access({ baseUrl })), request("echo"), false);
    expect(server.requests[0]?.path).toBe("/v1/chat/completions?api-version=1");
  });

  it("quotes no more of a provider's error than a short sentence without secrets", async () => {
    const body = {
      error: { message: `Bad\u0000key ${KEY}\n${"y".repeat(50)} ${"so long ".repeat(99)}` },
    };
    const fetcher = async () => Response.json(body, { status: 400 });
    const { failure } = await outcome(create(access({ fetch: fetcher })), request("echo"), false);
    const detail = failure?.problem.detail ?? "";
    expect(detail).toMatch(/^the provider answered 400: Bad key \[redacted\] \[redacted\] so long/);
    expect(detail.length).toBeLessThan(220);
  });
});
