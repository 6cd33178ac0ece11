import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { egressFetch } from "../../core/egress/fetch.ts";
import { createChatCodec } from "../../core/models/chat-codec.ts";
import type { ModelRequest } from "../../core/models/contract.ts";
import { createOpenAi } from "../../core/models/openai.ts";

/** The adapters in the runtime they serve in: what the platform's own `fetch` does under faults. */
const bindings = env as unknown as { readonly TEST_MODEL_PORT: number };
const origin = `http://127.0.0.1:${bindings.TEST_MODEL_PORT}`;

async function control(path: string, method = "GET"): Promise<void> {
  const response = await fetch(`${origin}${path}`, { method });
  expect(response.status).toBe(200);
  await response.text();
}

beforeEach(async () => {
  await control("/__requests", "DELETE");
});

function request(model: string): ModelRequest {
  return {
    model,
    messages: [{ role: "user", content: "hello" }],
    tools: [],
    parameters: {},
    idempotencyKey: `key-${model}`,
  };
}

describe.each([
  ["codec", createChatCodec],
  ["openai", createOpenAi],
])("%s in workerd", (_name, create) => {
  const rule = { allow: [`127.0.0.1:${bindings.TEST_MODEL_PORT}`], ownHosts: [] };
  const guarded = egressFetch((target, init) => fetch(target, init), rule);
  const model = create({ baseUrl: `${origin}/v1`, apiKey: "sk-test", fetch: guarded });
  const signal = (): AbortSignal => AbortSignal.timeout(5000);

  it("F79: answers plainly and streamed", async () => {
    const plain = await model.answer(request("echo"), { signal: signal() });
    expect(plain).toMatchObject({ text: "echo: hello", usage: { estimated: false } });
    let deltas = "";
    const onDelta = (text: string): void => void (deltas += text);
    const streamed = await model.answer(request("stream-9"), { signal: signal(), onDelta });
    expect(deltas).toBe(streamed.text);
  });

  it.each(["redirect", "status-401"])("%s is terminal", async (name) => {
    const answer = model.answer(request(name), { signal: signal() });
    await expect(answer).rejects.toMatchObject({ name: "ModelFailure", retryable: false });
  });

  it.each(["status-500", "close", "broken-json", "close-midstream", "huge-2"])(
    "%s is worth another try",
    async (name) => {
      const answer = model.answer(request(name), { signal: signal() });
      await expect(answer).rejects.toMatchObject({ name: "ModelFailure", retryable: true });
      const onDelta = (): void => undefined;
      if (name.startsWith("huge")) return;
      const streamed = model.answer(request(name), { signal: signal(), onDelta });
      await expect(streamed).rejects.toMatchObject({ name: "ModelFailure", retryable: true });
    },
  );

  it.each(["hang", "drip", "hang-midstream"])("a deadline ends %s, body and all", async (name) => {
    const answer = model.answer(request(name), { signal: AbortSignal.timeout(200) });
    await expect(answer).rejects.toMatchObject({ retryable: true, problem: { code: "timeout" } });
    await control("/__wait?count=1&state=aborted");
  });

  it("a cancel reaches the stream in flight", async () => {
    const controller = new AbortController();
    const options = { signal: controller.signal, onDelta: (): void => controller.abort() };
    const answer = model.answer(request("hang-midstream"), options);
    await expect(answer).rejects.toMatchObject({ retryable: false });
    await control("/__wait?count=1&state=aborted");
  });

  it("F194: reaches no other port of this machine", async () => {
    const other = create({ baseUrl: "http://127.0.0.1:1/v1", apiKey: null, fetch: guarded });
    await expect(other.answer(request("echo"), { signal: signal() })).rejects.toMatchObject({
      retryable: false,
    });
  });
});
