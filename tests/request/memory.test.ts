/** What an agent learns, recalls, supersedes and forgets (K14), and what it cites (F78). */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { LedgerEntry } from "../../durable-objects/agent-runtime/contract.ts";
import type { Forgotten, Memory, MemoryFound } from "../../core/memories/contract.ts";
import {
  addProvider,
  asked,
  liveAgent,
  MODEL_SERVER,
  namesOf,
  release,
  seenBy,
  type TestAgent,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;

beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "knows", { memory: {} });
});

const tell = (text: string, more: object = {}, of: TestAgent = agent) =>
  acme.json<Memory>("/v1/memories", 201, { json: { agent: of.slug, text, ...more } });
const search = async (query: string, more: object = {}, of: TestAgent = agent) =>
  acme.json<MemoryFound>("/v1/memories/search", 200, {
    json: { agent: of.slug, query, ...more },
  });
const textsOf = async (...of: Parameters<typeof search>) =>
  (await search(...of)).data.map(({ text }) => text);
const forget = (subject: string, of: TestAgent = agent) =>
  acme.json<Forgotten>("/v1/memories/forget", 200, { json: { agent: of.slug, subject } });

describe("memory", () => {
  it("K14: an item says where it comes from, and recall says why", async () => {
    const item = await tell("Nora's parcels go to the depot in Emden.", {
      subject: "nora",
      confidence: 0.9,
    });
    expect(item).toMatchObject({
      subject: "nora",
      author: acme.keyId,
      confidence: 0.9,
      source: { kind: "api", invocation_id: null, session_id: null },
      superseded_by: null,
      embedding: "local/hash",
    });
    const { data, embedding } = await search("Which depot is for Nora?");
    expect(embedding).toEqual({ model: "local/hash", lexical: true });
    expect(data[0]).toMatchObject({ id: item.id, kind: "memory", text: item.text });
    expect(data[0]?.why).toMatchObject({ words: ["depot", "nora"], word_rank: 1, vector_rank: 1 });
    expect(await acme.json(`/v1/memories/${item.id}`, 200)).toEqual(item);
  });

  it("K14: a contradiction supersedes, and as of then is known what was known then", async () => {
    const first = await tell("Ole lives in Kiel.", { subject: "ole", topic: "home" });
    const second = await tell("Ole lives in Leer.", { subject: "ole", topic: "home" });
    expect(second.supersedes).toBe(first.id);
    expect(await textsOf("Where does Ole live?", { subject: "ole" })).toEqual([second.text]);
    expect(
      await textsOf("Where does Ole live?", { subject: "ole", as_of: first.learned_at }),
    ).toEqual([first.text]);
    const now = await acme.json<Memory>(`/v1/memories/${first.id}`, 200);
    expect(now).toMatchObject({ superseded_by: second.id, text: first.text });
    const list = async (query: string) =>
      (await acme.json<{ data: Memory[] }>(`/v1/memories?agent=knows&subject=ole${query}`, 200))
        .data;
    expect((await list("")).map(({ id }) => id)).toEqual([second.id]);
    expect((await list("&include=all")).map(({ id }) => id)).toEqual([first.id, second.id]);
  });

  it("K14: what is true in a time alone is recalled in that time", async () => {
    const times = { valid_from: "2030-01-01T00:00:00Z", valid_until: "2031-01-01T00:00:00Z" };
    const { text } = await tell("The canteen is closed for works.", {
      subject: "canteen",
      ...times,
    });
    const query = "Is the canteen open?";
    expect(await textsOf(query, { subject: "canteen" })).toEqual([]);
    const at = "2030-06-01T00:00:00Z";
    expect(await textsOf(query, { subject: "canteen", valid_at: at })).toEqual([text]);
  });

  it("K14: what has readers is recalled for them alone", async () => {
    const secret = await tell("The vault code word is heron.", { readers: ["usr_someone"] });
    expect(await textsOf("vault code word")).not.toContain(secret.text);
    expect(await textsOf("vault code word", { reader: "usr_other" })).not.toContain(secret.text);
    expect(await textsOf("vault code word", { reader: "usr_someone" })).toContain(secret.text);
    const mine = await tell("My code word is egret.", { readers: [acme.keyId] });
    const { id } = await agent.ask("What is my code word?");
    const [turn] = await asked(id);
    expect(JSON.stringify(turn)).toContain(mine.text);
    expect(JSON.stringify(turn)).not.toContain("heron");
  });
});

describe("whose it is", () => {
  it("G7: a key narrowed to another agent finds no such agent, and no such item", async () => {
    const other = await liveAgent(acme, "other", { memory: {} });
    const item = await tell("The cellar is flooded.");
    const as = await newKey(acme, { agent: other.slug });
    const statusOf = async (path: string, json?: object) =>
      (await acme.ask(path, { as, ...(json && { json }) })).status;
    expect(await statusOf(`/v1/memories/${item.id}`)).toBe(404);
    expect(await statusOf(`/v1/memories?agent=${agent.slug}`)).toBe(404);
    expect(await statusOf("/v1/memories/search", { agent: agent.slug, query: "x" })).toBe(404);
    expect(await statusOf("/v1/memories/forget", { agent: agent.slug, subject: "x" })).toBe(404);
    expect(await statusOf(`/v1/memories?agent=${other.slug}`)).toBe(200);
  });

  it("an agent that was never deployed knows nothing yet", async () => {
    await acme.json("/v1/agents", 201, { json: { slug: "unborn", name: "Unborn" } });
    const empty = { data: [], next_cursor: null };
    expect(await acme.json("/v1/memories?agent=unborn", 200)).toEqual(empty);
    expect(await acme.json("/v1/knowledge?agent=unborn", 200)).toEqual(empty);
    const json = { agent: "unborn", subject: "x" };
    expect(await acme.json("/v1/memories/forget", 200, { json })).toMatchObject({ turns: 0 });
  });

  it("a spec whose memory could not work is refused, with the place", async () => {
    const tool = { kind: "clock", name: "recall" };
    const spec = {
      kind: "llm",
      memory: { embeddings: "nobody/small" },
      replicas: 2,
      tools: [tool],
    };
    const json = { slug: "unable", name: "Unable", spec };
    await acme.json("/v1/agents", 201, { json });
    const refused = await acme.ask("/v1/agents/unable/publish", { method: "POST" });
    const { errors } = await refused.json<{ errors: { pointer: string }[] }>();
    expect(errors.map(({ pointer }) => pointer)).toEqual([
      "/memory/embeddings",
      "/memory",
      "/tools/0/name",
    ]);
  });
});

describe("recall in a run", () => {
  it("F62: is a journaled step before the first model call, and what the model is told", async () => {
    await tell("Ida's invoice number is 4711.", { subject: "ida" });
    const done = await agent.ask("What is Ida's invoice number?");
    const steps = await agent.steps(done.id);
    expect(steps.map(({ key, kind, state }) => [key, kind, state])).toEqual([
      ["memory.0#0", "memory", "done"],
      ["model.0#0", "model", "done"],
    ]);
    const [recall] = steps;
    expect(recall?.output).toHaveProperty("recalled.embedding", "local/hash");
    expect(recall?.output).toHaveProperty(
      "recalled.passages.0.text",
      "Ida's invoice number is 4711.",
    );
    const [turn] = await asked(done.id);
    const told = turn?.messages.find(({ content }) => content.includes("4711"));
    expect(told?.role).toBe("system");
    expect(namesOf(await agent.events(done.id)).slice(0, 4)).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "step.finished",
    ]);
    expect(done.usage.model_calls).toBe(1);
  });

  it("K3: what is learned later changes nothing of a replay", async () => {
    const done = await agent.ask("Which colour are the bins?");
    await tell("The bins are green.");
    const replay = await acme.json(`/v1/invocations/${done.id}/replay`, 200, { method: "POST" });
    expect(replay).toMatchObject({ verdict: "equal" });
  });

  it("the model notes down and looks up by tools, once under one key", async () => {
    const args = JSON.stringify({ text: "Pia plays the bassoon.", subject: "pia" });
    const done = await agent.ask(`[[tool-call]] remember ${args}`);
    expect(done.status).toBe("succeeded");
    expect((await search("bassoon")).data).toEqual([]); // it is the caller's alone
    const { data } = await search("bassoon", { reader: acme.keyId });
    expect(data.map(({ text }) => text)).toContain("Pia plays the bassoon.");
    const item = await acme.json<Memory>(`/v1/memories/${data[0]?.id}`, 200);
    expect(item.source).toEqual({
      kind: "run",
      invocation_id: done.id,
      session_id: done.session_id,
    });
    const looked = await agent.ask('[[tool-call]] recall {"query":"bassoon"}');
    const tool = (await agent.steps(looked.id)).find(({ kind }) => kind === "tool");
    expect(JSON.stringify(tool?.output)).toContain("Pia plays the bassoon.");
  });

  it("local/extract quotes what it recalls, with its source", async () => {
    const local = await liveAgent(acme, "quotes", { model: "local/extract", memory: {} });
    await tell("The spare key hangs in the boiler room.", { subject: "spare key" }, local);
    const done = await local.ask("Where is the spare key?");
    expect(done.output?.text).toContain("boiler room");
    expect(done.output?.data).toMatchObject({ sources: [{ title: "spare key" }] });
  });

  it("an agent without a memory has neither the step nor the index", async () => {
    const plain = await liveAgent(acme, "plain");
    const done = await plain.ask("Hello");
    expect((await plain.steps(done.id)).map(({ key }) => key)).toEqual(["model.0#0"]);
    expect(
      await plain.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'passage_text%'"),
    ).toEqual([]);
    const refused = await acme.ask("/v1/memories", {
      json: { agent: "plain", text: "Something." },
    });
    expect(refused.status).toBe(409);
  });
});

describe("a provider's embeddings", () => {
  const spec = { memory: { embeddings: "openai/text-embedding-3-small" } };

  it("find what is meant, and what they cost is the turn's and in the ledger", async () => {
    const of = await liveAgent(acme, "meant", spec);
    await tell("The automobile is in the yard.", {}, of);
    const { data, embedding } = await search("car", {}, of);
    expect(embedding).toEqual({ model: "openai/text-embedding-3-small", lexical: false });
    expect(data[0]?.why).toMatchObject({ words: [], word_rank: null, vector_rank: 1 });
    const done = await of.ask("Where is my car?");
    const [recall, model] = await of.steps(done.id);
    expect(recall?.output).toHaveProperty(
      "recalled.passages.0.text",
      "The automobile is in the yard.",
    );
    expect(recall?.input_tokens).toBeGreaterThan(0);
    const sum = (recall?.input_tokens ?? 0) + (model?.input_tokens ?? 0);
    expect(done.usage.input_tokens).toBe(sum);
    const stub = of.stub();
    const page = await stub.ledger(of.owner, 10);
    const entries = JSON.parse(page.ok ? page.page : "[]") as LedgerEntry[];
    expect(entries[0]?.usage.map(({ step }) => step)).toEqual(["model.0#0", "memory.0#0"]);
  });

  it("that fail fail no run: words decide, and the next recall makes it good", async () => {
    const of = await liveAgent(acme, "fails", spec);
    const item = await tell("[[down-once]] The ferry leaves at noon.", {}, of);
    expect(item.embedding).toBeNull();
    const first = await of.ask("[[down-once]] When does the ferry leave?");
    expect(first.status).toBe("succeeded");
    const [recall] = await of.steps(first.id);
    expect(recall?.output).toMatchObject({
      recalled: { embedding: null, passages: [{ id: item.id }] },
    });
    expect(recall?.output).toHaveProperty("recalled.failure");
    await of.ask("When does the ferry leave?");
    const now = await acme.json<Memory>(`/v1/memories/${item.id}`, 200);
    expect(now.embedding).toBe("openai/text-embedding-3-small");
  });
});

describe("a run that is interrupted", () => {
  it("K3: between its recall and its answer goes on with what it recalled", async () => {
    const of = await liveAgent(acme, "interrupted", { memory: {} });
    await tell("The meeting room is called Juist.", {}, of);
    const { id } = await of.start("[[hold]] What is the meeting room called?");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await tell("The meeting room is called Norderney now.", {}, of);
    const crash = runInDurableObject(of.stub(), (_object, state) => state.abort("crash"));
    await crash.catch(() => undefined);
    await runDurableObjectAlarm(of.stub());
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 2);
    await release(MODEL_SERVER);
    const done = await of.ended(id);
    expect(done.status).toBe("succeeded");
    const turns = await asked(id);
    expect(JSON.stringify(turns.at(-1))).not.toContain("Norderney");
    expect((await of.steps(id)).map(({ key }) => key)).toEqual(["memory.0#0", "model.0#0"]);
  });
});

describe("a fork", () => {
  it("K3: rests on what was recalled, and of another input recalls anew", async () => {
    const of = await liveAgent(acme, "forked", { memory: {} });
    await tell("The blue boat is for sale.", {}, of);
    const done = await of.ask("What of the blue boat?");
    await tell("The blue boat is sold.", {}, of);
    const fork = async (json: object) => {
      const made = await acme.json<{ id: string }>(`/v1/invocations/${done.id}/fork`, 202, {
        json,
      });
      const ended = await of.ended(made.id);
      expect(ended.status).toBe("succeeded");
      const [recall] = await of.steps(made.id);
      expect(
        await acme.json(`/v1/invocations/${made.id}/replay`, 200, { method: "POST" }),
      ).toMatchObject({ verdict: "equal" });
      return JSON.stringify(recall?.output);
    };
    expect(await fork({ step: "model.0#0", model: "openai/gpt-4o-mini" })).not.toContain("is sold");
    expect(await fork({ step: "model.0#0", input: "Is the boat sold?" })).toContain("is sold");
  });

  it("K3: a changed journal is noticed, of what was recalled too", async () => {
    const of = await liveAgent(acme, "changed", { memory: {} });
    await tell("The red boat leaks.", {}, of);
    const done = await of.ask("What of the red boat?");
    await of.rows(
      "UPDATE step SET output = replace(output, 'leaks', 'sails') WHERE key = 'memory.0#0'",
    );
    expect(
      await acme.json(`/v1/invocations/${done.id}/replay`, 200, { method: "POST" }),
    ).toMatchObject({ verdict: "diverged", divergence: { step: "model.0#0" } });
  });
});

describe("forgetting", () => {
  it("K14: reaches items, vectors, index, journals and history; no trace is left", async () => {
    const of = await liveAgent(acme, "forgets", { memory: {} });
    const body = { session_id: "talk" };
    const args = JSON.stringify({ text: "Quirin is allergic to hazelnut.", subject: "quirin" });
    await of.ask(`[[tool-call]] remember ${args}`, { body });
    await tell("Quirin's flat is above the bakery.", { subject: "quirin" }, of);
    await tell("The bakery closes at six.", { subject: "bakery" }, of);
    const recalling = await of.ask("What is Quirin allergic to?");
    expect(JSON.stringify(await of.steps(recalling.id))).toContain("hazelnut");
    const forgotten = await forget("quirin", of);
    expect(forgotten).toMatchObject({ memories: 2, passages: 2, turns: 2 });
    expect(await textsOf("hazelnut bakery flat", {}, of)).toEqual(["The bakery closes at six."]);
    const next = await of.ask("And the hazelnut?", { body });
    const [turn] = await asked(next.id);
    expect(JSON.stringify(turn?.messages.slice(0, -1))).not.toMatch(/hazelnut|quirin/i);
    const tables = await of.rows<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'",
    );
    for (const { name } of tables.filter((it) => it.name !== "passage_text")) {
      const rows = await of.rows<Record<string, unknown>>(`SELECT * FROM "${name}"`);
      const told = rows.filter((row) => row["id"] !== next.id && row["invocation_id"] !== next.id);
      expect([name, JSON.stringify(told)]).not.toEqual([name, expect.stringMatching(/hazelnut/i)]);
    }
    const words = await of.rows<{ n: number }>(
      "SELECT count(*) AS n FROM passage_text WHERE passage_text MATCH 'allerg* OR quirin OR flat'",
    );
    expect(words).toEqual([{ n: 0 }]);
    expect(await forget("quirin", of)).toMatchObject({ memories: 0, turns: 0 });
  });

  it("K14: reaches what was forked from a turn that was told of it, and forks of those", async () => {
    const of = await liveAgent(acme, "forks-too", { memory: {} });
    await tell("Oda is allergic to walnut.", { subject: "oda" }, of);
    const told = await of.ask("What is Oda allergic to?");
    const fork = async (id: string) => {
      const json = { step: "model.0#0", model: "openai/gpt-4o-mini" };
      const made = await acme.json<{ id: string }>(`/v1/invocations/${id}/fork`, 202, { json });
      await of.ended(made.id);
      return made.id;
    };
    const first = await fork(told.id);
    const second = await fork(first);
    expect(JSON.stringify(await of.steps(second))).toContain("walnut");
    expect(await forget("oda", of)).toMatchObject({ memories: 1, turns: 3 });
    for (const id of [told.id, first, second]) {
      const left = await of.rows(
        `SELECT output FROM step WHERE invocation_id = '${id}' AND output IS NOT NULL`,
      );
      expect(left).toEqual([]);
      await acme.json(`/v1/invocations/${id}`, 410);
    }
  });

  it("K14: a turn that is open loses its words when it has ended, before the next is told anything", async () => {
    const of = await liveAgent(acme, "open", { memory: {} });
    await tell("Rieke keeps bees.", { subject: "rieke" }, of);
    const body = { session_id: "open" };
    const { id } = await of.start("[[hold]] What does Rieke keep?", { body });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    expect(await forget("rieke", of)).toMatchObject({ memories: 1, turns: 1 });
    await release(MODEL_SERVER);
    expect((await of.ended(id)).status).toBe("succeeded");
    const next = await of.ask("And now?", { body });
    const [turn] = await asked(next.id);
    expect(JSON.stringify(turn)).not.toMatch(/rieke|bees/i);
    const gone = await acme.ask(`/v1/invocations/${id}`);
    expect([gone.status, await gone.json()]).toMatchObject([410, { code: "content_erased" }]);
  });

  it("one item is taken away with what was said about it", async () => {
    const item = await tell("The lift in house 7 is broken.");
    await acme.json(`/v1/memories/${item.id}`, 200, { method: "DELETE" });
    expect((await acme.ask(`/v1/memories/${item.id}`)).status).toBe(404);
    expect(await textsOf("lift in house 7")).not.toContain(item.text);
  });
});

describe("compaction", () => {
  it("F78: turns that the window has no room for become a summary, made once and journaled", async () => {
    const compaction = { after_tokens: 100, keep_turns: 1 };
    const of = await liveAgent(acme, "long", { history: { compaction } });
    const body = { session_id: "long" };
    const long = "The first order was for eleven lamps. ".repeat(12);
    await of.ask(long, { body });
    await of.ask("The second was for chairs.", { body });
    const third = await of.ask("And now?", { body });
    const keys = (await of.steps(third.id)).map(({ key, state }) => [key, state]);
    expect(keys).toEqual([
      ["compact.0#0", "done"],
      ["model.0#0", "done"],
    ]);
    const [turn] = await asked(third.id);
    const told = turn?.messages.map(({ content }) => content) ?? [];
    expect(told[0]).toMatch(/^Summary of the conversation before:/);
    expect(told.join("\n")).toContain("The second was for chairs.");
    expect(told.slice(1).join("\n")).not.toContain("eleven lamps");
    const fourth = await of.ask("Still there?", { body });
    expect((await of.steps(fourth.id)).map(({ key }) => key)).toEqual(["model.0#0"]);
    const replay = await acme.json(`/v1/invocations/${third.id}/replay`, 200, { method: "POST" });
    expect(replay).toMatchObject({ verdict: "equal" });
  });

  it("K14: a summary goes with the turn it was made from, and is made anew", async () => {
    const compaction = { after_tokens: 100, keep_turns: 0 };
    const of = await liveAgent(acme, "renews", {
      model: "local/extract",
      memory: {},
      history: { compaction },
    });
    const body = { session_id: "renews" };
    await of.ask(`My dog Xaver eats ${"beetroot ".repeat(60)}`, { body });
    await of.ask(`/remember subject=xaver text="Xaver eats beetroot."`, { body });
    await of.ask(`My car is ${"very ".repeat(90)} slow`, { body });
    await of.ask("Anything else?", { body });
    const before = await of.rows<{ text: string }>("SELECT text FROM summary");
    expect(JSON.stringify(before)).toContain("Xaver");
    const { summaries } = await forget("xaver", of);
    expect(summaries).toBeGreaterThan(0);
    await of.ask("My bike is blue", { body });
    const after = await of.rows<{ text: string }>("SELECT text FROM summary");
    expect(JSON.stringify(after)).not.toContain("/remember");
    expect(JSON.stringify(after)).toContain("My car is");
  });
});

describe("knowledge", () => {
  it("F78: a document is cut, found and cited with its place", async () => {
    const text = "# Returns\n\nWithin 30 days.\n\n## Abroad\n\nSend it to the depot in Venlo.";
    const made = await acme.json<{ id: string; passages: number }>("/v1/knowledge", 201, {
      json: { agent: "knows", title: "Shop rules", media_type: "text/markdown", text },
    });
    expect(made).toMatchObject({ passages: 2, embedding: { model: "local/hash", passages: 2 } });
    const { data } = await search("Where do I send it from abroad?");
    expect(data[0]).toMatchObject({
      id: made.id,
      kind: "document",
      title: "Shop rules › Returns › Abroad",
    });
    const page = await acme.json<{ data: unknown[] }>(`/v1/knowledge/${made.id}/passages`, 200);
    expect(page.data).toHaveLength(2);
    const done = await agent.ask("Where do I send a return from abroad?");
    const [turn] = await asked(done.id);
    expect(JSON.stringify(turn)).toContain("Shop rules › Returns › Abroad");
    await acme.json(`/v1/knowledge/${made.id}`, 200, { method: "DELETE" });
    expect((await search("Venlo")).data.filter(({ kind }) => kind === "document")).toEqual([]);
  });
});
