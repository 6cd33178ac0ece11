import { expect, it } from "vitest";
import { ModelFailure } from "./contract.ts";
import { missingModel, resolveModel, type ModelPorts } from "./resolve.ts";

const PROVIDER = {
  id: "prv_1",
  slug: "acme-ai",
  kind: "openai" as const,
  baseUrl: "https://ai.example/v1",
  sealedKey: "v1.k.n.c",
};
const SOURCE = { knowledge: [{ title: "T", text: "A zebra." }], providers: [PROVIDER] };

function ports(seen: string[]): ModelPorts {
  return {
    openKey: (provider) => `key of ${provider.slug}`,
    fetch: async (target, init) => {
      seen.push(`${String(target)} ${new Headers(init?.headers).get("authorization")}`);
      return Response.json({ choices: [{ message: { content: "hi" } }] });
    },
  };
}

function ask(model: string) {
  const messages = [{ role: "user" as const, content: "zebra?" }];
  return { model, messages, tools: [], parameters: {}, idempotencyKey: "k" };
}

it("F79: a reference leads to the provider of that slug, with its key", async () => {
  const seen: string[] = [];
  const model = resolveModel("acme-ai/org/model-1", SOURCE, ports(seen));
  const answer = await model.answer(ask("org/model-1"), { signal: AbortSignal.timeout(5000) });
  expect(answer).toMatchObject({ text: "hi", finishReason: "stop" });
  expect(seen).toEqual(["https://ai.example/v1/chat/completions Bearer key of acme-ai"]);
});

it("local/extract needs no provider", async () => {
  const model = resolveModel("local/extract", SOURCE, ports([]));
  const answer = await model.answer(ask("extract"), { signal: AbortSignal.timeout(5000) });
  expect(answer.text).toContain("A zebra.");
});

it.each(["local/other", "nobody/gpt", "gpt", "/x", "local"])("%s is refused, terminally", (ref) => {
  expect(missingModel(ref, SOURCE.providers)).toBeTypeOf("string");
  expect(() => resolveModel(ref, SOURCE, ports([]))).toThrow(ModelFailure);
});
