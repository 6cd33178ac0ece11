import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ModelAnswer, ModelMessage, ModelRequest } from "./contract.ts";
import { createExtract } from "./extract.ts";

const KNOWLEDGE = [
  {
    title: "Returns",
    text: "You can send a jacket, or anything else you bought, back within 30 days for a full refund. The label is in the box and costs you nothing. Please send it unworn, with its tags on.",
  },
  {
    title: "Delivery",
    text: "Orders placed before 14:00 leave our warehouse the same day. Standard delivery takes two to three working days and is free above 60 euros; express delivery arrives the next working day for 12 euros.",
  },
  {
    title: "Opening hours",
    text: "The shop at Quay 4 is open Monday to Saturday from 10:00 to 18:30. On Sundays and public holidays it is closed.",
  },
  {
    title: "Repairs",
    text: "We repair zips, seams and buckles for as long as you own the piece. Repairs are free for two years; after that a zip costs 15 euros. A repair takes about ten days.",
  },
];
const INSTRUCTIONS =
  "You help the customers of Harbour & Pine, a small shop. Be friendly and brief.";
const TOOLS: ModelRequest["tools"] = [
  {
    name: "lookup",
    description: "Finds an order.",
    inputSchema: {
      type: "object",
      properties: { id: { type: "integer" }, name: { type: "string" }, all: { type: "boolean" } },
    },
  },
];

const model = createExtract({ knowledge: KNOWLEDGE });

function asked(messages: readonly ModelMessage[], overrides: Partial<ModelRequest> = {}) {
  return {
    model: "extract",
    messages: [{ role: "system" as const, content: INSTRUCTIONS }, ...messages],
    tools: TOOLS,
    parameters: {},
    idempotencyKey: "k",
    ...overrides,
  };
}

async function answer(
  request: ModelRequest,
  onDelta?: (text: string) => void,
): Promise<ModelAnswer> {
  const { signal } = new AbortController();
  return model.answer(request, onDelta ? { signal, onDelta } : { signal });
}

async function reply(...said: readonly string[]): Promise<ModelAnswer> {
  const messages = said.map((content) => ({ role: "user" as const, content }));
  return answer(asked(messages));
}

describe("local/extract", () => {
  it.each([
    ["How long do I have to send a jacket back?", "Returns", "30 days"],
    ["what's your refund policy", "Returns", "full refund"],
    ["How much is express delivery?", "Delivery", "12 euros"],
    ["When are orders delivered", "Delivery", "delivery"],
    ["are you open on sunday?", "Opening hours", "On Sundays"],
    ["ARE YOU OPEN ON SÜNDAY", "Opening hours", "open"],
    ["How much does it cost to fix a zip?", "Repairs", "15 euros"],
    ["What is Harbour & Pine?", "Instructions", "Harbour & Pine"],
  ])("quotes what answers “%s”, with its source", async (question, title, words) => {
    const { text, sources, usage, model: name } = await reply(question);
    expect(sources?.[0]?.title).toBe(title);
    expect(text).toContain(words);
    for (const source of sources ?? []) expect(text).toContain(`“${source.quote}”`);
    expect(usage.estimated).toBe(true);
    expect(name).toBe("local/extract");
  });

  it.each([
    "What is the capital of France?",
    "Write me a poem about the sea",
    "¿Dónde está la biblioteca?",
    "東京はどこですか",
    "🤷",
    "",
  ])("says plainly that it has nothing on “%s”, and what it has", async (question) => {
    const { text, sources } = await reply(question);
    expect(text).toBe(
      "I have nothing about that. You can ask me about Returns, Delivery, Opening hours or Repairs.",
    );
    expect(sources).toBeUndefined();
  });

  it("quotes word for word: every quote stands in what it was given", async () => {
    const given = [INSTRUCTIONS, ...KNOWLEDGE.map(({ text }) => text)].join("\n");
    for (const question of ["delivery days", "repair zip euros", "open shop", "send label box"]) {
      const { sources } = await reply(question);
      expect(sources).not.toEqual([]);
      for (const { quote } of sources ?? []) expect(given).toContain(quote);
    }
  });

  it("greets, says what it is, and takes thanks", async () => {
    expect((await reply("Hi there!")).text).toMatch(/^Hello! You can ask me about Returns,/);
    expect((await reply("Who are you?")).text).toContain("not a language model");
    expect((await reply("Thank you very much")).text).toBe("You're welcome.");
    expect((await reply("Hi, when are you open on Sundays?")).sources?.[0]?.title).toBe(
      "Opening hours",
    );
  });

  it("gives back what it was told earlier in the conversation", async () => {
    const first = await reply("My order number is 4411.");
    expect(first.text).toMatch(/^Noted\./);
    const later = await reply("My order number is 4411.", "What is my order number?");
    expect(later.text).toBe("You told me earlier: “My order number is 4411.”");
    expect(later.sources).toEqual([
      { title: "Earlier in this conversation", quote: "My order number is 4411." },
    ]);
  });

  it("takes a question without a subject to be about the one before", async () => {
    const { sources } = await reply("How do I get an express delivery?", "And how much is it?");
    expect(sources?.[0]).toMatchObject({ title: "Delivery" });
  });

  it("compares scripts without spaces by pairs of characters", async () => {
    const knowledge = [
      { title: "配送", text: "ご注文は三日以内に届きます。送料は五百円です。" },
      { title: "返品", text: "商品は三十日以内に返品できます。" },
    ];
    const { signal } = new AbortController();
    const request = asked([{ role: "user", content: "送料はいくらですか" }]);
    const { sources } = await createExtract({ knowledge }).answer(request, { signal });
    expect(sources?.[0]).toEqual({ title: "配送", quote: "送料は五百円です。" });
  });

  it("reads headings as titles, and lists and tables line by line", async () => {
    const text =
      "# Leave\n\nEveryone has 28 days. Unused days expire.\n\n## Sick\n\n- Call before 9:00.\n- Then rest.\n\n" +
      "# Expenses\n| Hotel | 150 EUR |\n|---|---|\n| Meals | 40 EUR |";
    const handbook = createExtract({ knowledge: [{ title: "Handbook", text }] });
    const quotes = async (question: string) => {
      const request = asked([{ role: "user", content: question }]);
      const { sources } = await handbook.answer(request, { signal: new AbortController().signal });
      return sources?.map(({ quote }) => quote);
    };
    expect(await quotes("how many days of leave?")).toEqual([
      "Everyone has 28 days. Unused days expire.",
    ]);
    expect(await quotes("I am sick, what now?")).toEqual(["Call before 9:00.\nThen rest."]);
    expect(await quotes("meals")).toEqual(["Meals | 40 EUR"]);
  });

  it("without knowledge says so", async () => {
    const { signal } = new AbortController();
    const request = asked([{ role: "user", content: "Tell me about tax" }]);
    const { text } = await createExtract({ knowledge: [] }).answer(request, { signal });
    expect(text).toBe("I have nothing about that. I was given no knowledge to quote from yet.");
  });

  it("is deterministic, and streams the very text it answers", async () => {
    const request = asked([{ role: "user", content: "delivery and returns" }]);
    const pieces: string[] = [];
    const streamed = await answer(request, (text) => void pieces.push(text));
    expect(streamed).toEqual(await answer(request));
    expect(pieces.join("")).toBe(streamed.text);
    expect(pieces.length).toBeGreaterThan(3);
  });

  it("keeps to max_output_tokens and stop", async () => {
    const messages: ModelMessage[] = [{ role: "user", content: "refund for a jacket" }];
    const short = await answer(asked(messages, { parameters: { max_output_tokens: 5 } }));
    expect(short).toMatchObject({ finishReason: "length", usage: { outputTokens: 5 } });
    const stopped = await answer(asked(messages, { parameters: { stop: ["30"] } }));
    expect(stopped.text).toMatch(/within $/);
  });

  it("fails like a provider: unknown model, cancelled call", async () => {
    const { signal } = new AbortController();
    const unknown = model.answer(asked([], { model: "gpt-9" }), { signal });
    await expect(unknown).rejects.toMatchObject({ retryable: false });
    const cancelled = model.answer(asked([]), { signal: AbortSignal.abort() });
    await expect(cancelled).rejects.toMatchObject({ retryable: false });
  });
});

describe("local/extract and tools", () => {
  it.each([
    ["/lookup", "{}"],
    ['/lookup {"id": 7, "__proto__": {"x": 1}}', '{"id": 7, "__proto__": {"x": 1}}'],
    ["/lookup id=7 name=Ada all=true", '{"id":7,"name":"Ada","all":true}'],
    ['/lookup name="Ada \\"L\\" Lovelace" id="7"', '{"name":"Ada \\"L\\" Lovelace","id":"7"}'],
    ["/lookup id=seven", '{"id":"seven"}'],
    ["/lookup __proto__=1 constructor=2", '{"__proto__":"1","constructor":"2"}'],
    ["Please:\n  /lookup id=1  ", '{"id":1}'],
  ])("calls by the grammar: %j", async (text, args) => {
    const { toolCalls, finishReason } = await reply(text);
    expect(toolCalls).toEqual([{ id: "call_2_0", name: "lookup", arguments: args }]);
    expect(finishReason).toBe("tool_calls");
  });

  it("makes one call a line", async () => {
    const { toolCalls } = await reply("/lookup id=1\n/lookup id=2");
    expect(toolCalls.map((call) => call.arguments)).toEqual(['{"id":1}', '{"id":2}']);
  });

  it.each([
    ["/lookup {bad", "I could not read what you gave to /lookup."],
    ["/lookup id", "I could not read"],
    ['/lookup name="open', "I could not read"],
    ["/nope id=1", "I have no tool called “nope”."],
  ])("guesses nothing: %j", async (text, said) => {
    const { toolCalls, text: told } = await reply(text);
    expect(toolCalls).toEqual([]);
    expect(told).toContain(said);
  });

  it.each(["please lookup order 7", "/etc/passwd delivery", "see and/or /"])(
    "takes no call from %j",
    async (text) => {
      expect((await reply(text)).toolCalls).toEqual([]);
    },
  );

  it("reads results out under their tools' names", async () => {
    const { text, sources } = await answer(
      asked([
        { role: "user", content: "/lookup id=7" },
        {
          role: "assistant",
          content: "",
          toolCalls: [
            { id: "a", name: "lookup", arguments: "{}" },
            { id: "b", name: "clock", arguments: "{}" },
          ],
        },
        { role: "tool", toolCallId: "a", content: '{"state":"sent","items":2}' },
        { role: "tool", toolCallId: "b", content: "half past nine" },
      ]),
    );
    expect(text).toBe(
      "lookup answered:\n\nstate: sent\nitems: 2\n\nclock answered:\n\nhalf past nine",
    );
    expect(sources).toEqual([
      { title: "lookup", quote: '{"state":"sent","items":2}' },
      { title: "clock", quote: "half past nine" },
    ]);
  });
});

describe("local/extract under hostile input", () => {
  it.each([
    ["a word of a megabyte", "x".repeat(1_000_000)],
    ["a megabyte of spaces", " ".repeat(1_000_000)],
    ["a megabyte of slashes", "/".repeat(1_000_000)],
    ["a megabyte of commands", "/lookup id=1\n".repeat(80_000)],
    ["pairs without an end", `/lookup ${'a="'.repeat(300_000)}`],
    ["lone surrogates", "\ud800 delivery \udc00"],
    ["NULs", "\u0000delivery\u0000"],
  ])("answers %s", async (_name, text) => {
    const { text: told, toolCalls } = await reply(text);
    expect(told.length + toolCalls.length).toBeGreaterThan(0);
    expect(told.isWellFormed()).toBe(true);
    expect(toolCalls.length).toBeLessThanOrEqual(16);
  });

  it("answers from knowledge of a megabyte without an end of sentence", async () => {
    const knowledge = [
      { title: "Long", text: `${"lorem ipsum ".repeat(8000)} zebra ${"x".repeat(5000)}` },
      { title: "", text: "?!.".repeat(30_000) },
    ];
    const { signal } = new AbortController();
    const request = asked([{ role: "user", content: "zebra" }]);
    const { text } = await createExtract({ knowledge }).answer(request, { signal });
    expect(text).toContain("zebra");
    expect(text.length).toBeLessThan(3000);
  });

  it("answers anything at all, well-formed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string(), async (a, b) => {
        const { text, finishReason } = await reply(a, b);
        expect(text.isWellFormed()).toBe(true);
        expect(["stop", "tool_calls"]).toContain(finishReason);
      }),
    );
  });
});
