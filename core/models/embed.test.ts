/** What makes vectors: the built-in hashing, and a provider's answer held against what it should be. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { ModelFailure, type Fetch } from "./contract.ts";
import { createEmbedCodec } from "./embed-codec.ts";
import { hashEmbedder } from "./embed-hash.ts";
import { resolveEmbedder } from "./embedder.ts";

const call = () => ({ idempotencyKey: "inv_1/memory.0#0", signal: new AbortController().signal });

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, na, nb] = [0, 0, 0];
  for (let i = 0; i < a.length; i += 1) {
    dot += (a[i] ?? 0) * (b[i] ?? 0);
    na += (a[i] ?? 0) ** 2;
    nb += (b[i] ?? 0) ** 2;
  }
  return dot / Math.sqrt(na * nb);
}

async function closeness(a: string, b: string): Promise<number> {
  const { vectors } = await hashEmbedder.embed([a, b], call());
  const [va = new Float32Array(), vb = new Float32Array()] = vectors;
  return cosine(va, vb);
}

describe("local/hash", () => {
  it("alike words are close, other words are not, and the same text is the same vector", async () => {
    expect(await closeness("delivery takes two days", "deliveries take two days")).toBeGreaterThan(
      0.7,
    );
    expect(await closeness("delivery takes two days", "the canteen is closed")).toBeLessThan(0.2);
    expect(await closeness("Grüße aus Köln", "Grüße aus Köln")).toBeCloseTo(1, 5);
    const { vectors, usage } = await hashEmbedder.embed(["x", ""], call());
    expect(vectors.map(({ length }) => length)).toEqual([512, 512]);
    expect(usage).toEqual({ inputTokens: 0, outputTokens: 0, estimated: false });
    expect(hashEmbedder.lexical).toBe(true);
  });
});

type Seen = { url: string; body: unknown; headers: Headers };

function provider(answer: unknown, status = 200): { readonly fetch: Fetch; readonly seen: Seen[] } {
  const seen: Seen[] = [];
  const fetch: Fetch = async (target, init) => {
    const body: unknown = await new Response(init?.body ?? null).json();
    seen.push({ url: target.toString(), body, headers: new Headers(init?.headers) });
    return Response.json(answer, { status });
  };
  return { fetch, seen };
}

const TWO = {
  data: [
    { index: 1, embedding: [0, 1, 0] },
    { index: 0, embedding: [1, 0, 0] },
  ],
  usage: { prompt_tokens: 5, total_tokens: 5 },
};
const access = (fetch: Fetch) => ({
  baseUrl: "https://api.example.com/v1/",
  apiKey: "sk-1",
  fetch,
});

describe("a provider's embeddings", () => {
  it("sends what the openai package sends, and puts answers in the order of the texts", async () => {
    const ours = provider(TWO);
    const codec = createEmbedCodec("openai/small", "small", access(ours.fetch));
    const { vectors, usage } = await codec.embed(["a", "b"], call());
    expect(vectors.map((vector) => Array.from(vector))).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(usage).toEqual({ inputTokens: 5, outputTokens: 0, estimated: false });
    const theirs = provider(TWO);
    const client = new OpenAI({
      baseURL: "https://api.example.com/v1",
      apiKey: "sk-1",
      fetch: (target, init) =>
        theirs.fetch(target instanceof Request ? target.url : target.toString(), init),
    });
    await client.embeddings.create({ model: "small", input: ["a", "b"], encoding_format: "float" });
    expect(ours.seen[0]?.url).toBe(theirs.seen[0]?.url);
    expect(ours.seen[0]?.body).toEqual(theirs.seen[0]?.body);
    expect(ours.seen[0]?.headers.get("authorization")).toBe("Bearer sk-1");
    expect(ours.seen[0]?.headers.get("idempotency-key")).toBe("inv_1/memory.0#0");
  });

  it.each([
    ["too few", { data: [{ index: 0, embedding: [1] }] }, 200, true],
    ["of two lengths", { data: [{ embedding: [1] }, { embedding: [1, 2] }] }, 200, true],
    ["no numbers", { data: [{ embedding: ["x"] }, { embedding: [null] }] }, 200, true],
    ["nothing", {}, 200, true],
    ["a refusal", { error: { message: "no" } }, 401, false],
    ["overload", { error: { message: "later" } }, 503, true],
  ])("a broken answer is a failure with its kind: %s", async (_name, answer, status, retryable) => {
    const codec = createEmbedCodec("openai/small", "small", access(provider(answer, status).fetch));
    const failure = await codec.embed(["a", "b"], call()).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ModelFailure);
    expect(failure).toMatchObject({ retryable });
  });

  it("a reference to nothing that is there fails for good", () => {
    const ports = { fetch: provider({}).fetch, openKey: () => null };
    expect(() => resolveEmbedder("nobody/small", { providers: [] }, ports)).toThrow(ModelFailure);
  });
});
