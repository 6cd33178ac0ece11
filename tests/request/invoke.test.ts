/** What a caller is promised by `POST /a/{agent}/invoke` (GUARANTEES G1–G4). */
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import {
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  release,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

/** Model calls the provider got for an invocation. */
const callsOf = (id: string) => seenBy(MODEL_SERVER, { key: `${id}/model.0` });

describe("an invocation", () => {
  it("F62, F96: is accepted, run and settled, and answered with what it came to", async () => {
    const metadata = { ticket: "42" };
    const done = await agent.ask("hello there", { body: { metadata } });
    expect(done).toMatchObject({
      agent: "support",
      version: 1,
      environment: "prod",
      status: "succeeded",
      input: "hello there",
      error: null,
      attempts: 1,
      metadata,
      output: {
        text: "echo: hello there",
        messages: [{ role: "assistant", content: "echo: hello there" }],
      },
      usage: { input_tokens: 2, output_tokens: 3, model_calls: 1, tool_calls: 0, estimated: false },
    });
    expect(done.completed_at).not.toBeNull();
    expect(await agent.get(done.id)).toEqual(done);
    expect(await callsOf(done.id)).toHaveLength(1);
  });

  it("costs what the model's list price says, rounded up once", async () => {
    const done = await agent.ask("one two three");
    // 3 tokens in at 2.5 USD, 4 out at 10 USD a million: 47.5 micro-USD.
    expect(done).toMatchObject({ cost_micros: 48, cost_usd: "0.000048" });
  });

  it("G1: is answered 202 with its place when asked not to wait, and ends all the same", async () => {
    const accepted = await agent.send("[[hold]] a", { prefer: "respond-async" });
    expect(accepted.status).toBe(202);
    const { id, status } = await accepted.json<Invocation>();
    expect(accepted.headers.get("location")).toBe(`/v1/invocations/${id}`);
    expect(status).toBe("running");
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    expect(await agent.get(id)).toMatchObject({ status: "running", completed_at: null });
    await release(MODEL_SERVER);
    expect(await agent.ended(id)).toMatchObject({ status: "succeeded" });
  });

  it("goes on when the caller's patience ends: 202, and the answer later", async () => {
    const answered = await agent.send("[[hold]] b", { prefer: "wait=1" });
    expect(answered.status).toBe(202);
    const { id, status } = await answered.json<Invocation>();
    expect(status).toBe("running");
    await release(MODEL_SERVER);
    expect(await agent.ended(id)).toMatchObject({ output: { text: "echo: [[hold]] b" } });
  });

  it("is answered 200 with the failure in it: once accepted, HTTP has nothing to refuse", async () => {
    const failed = await agent.ask("[[status-401]]");
    expect(failed).toMatchObject({ status: "failed", output: null });
    expect(failed.error?.code).toBe("model_failed");
  });

  it("takes a conversation as input, system message and all", async () => {
    const input = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Bye" },
    ];
    const { id, output } = await agent.ask(input);
    expect(output?.text).toBe("echo: Bye");
    const [asked] = await callsOf(id);
    expect(JSON.parse(asked?.body ?? "{}")).toMatchObject({ messages: input });
  });

  it("F92: is kept with request and answer, steps and events", async () => {
    const done = await agent.ask("keep me");
    expect(await agent.get(done.id)).toMatchObject({ input: "keep me", output: done.output });
    expect(await agent.steps(done.id)).toMatchObject([
      { key: "model.0#0", kind: "model", name: "openai/gpt-4o", state: "done", attempt: 1 },
    ]);
    expect((await agent.events(done.id)).map(({ event }) => event)).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "step.finished",
      "message.completed",
      "invocation.succeeded",
    ]);
  });
});

describe("an Idempotency-Key", () => {
  it("F94, G4: of 16 at once makes one invocation and one model call", async () => {
    const sent = await Promise.all(
      Array.from({ length: 16 }, () => agent.send("[[delay-20]] once", { key: "sixteen" })),
    );
    const found = await Promise.all(sent.map((response) => response.json<Invocation>()));
    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(new Set(found.map(({ status }) => status))).toEqual(new Set(["succeeded"]));
    const replayed = sent.filter(({ headers }) => headers.get("idempotency-replayed") === "true");
    expect(replayed).toHaveLength(15);
    expect(await callsOf(found[0]?.id ?? "")).toHaveLength(1);
    expect(await agent.rows("SELECT id FROM invocation WHERE idem = 'sixteen'")).toHaveLength(1);
  });

  it("F97, G4: answers a finished request from what was kept", async () => {
    const first = await agent.ask("remember", { key: "later" });
    const again = await agent.send("remember", { key: "later" });
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    expect(await again.json()).toEqual(first);
    expect(await callsOf(first.id)).toHaveLength(1);
    const streamed = await agent.stream("remember", { key: "later" });
    expect(streamed.at(-1)).toMatchObject({
      event: "invocation.succeeded",
      data: { invocation: { id: first.id } },
    });
  });

  it("G4: means the same body in any order of its fields, and no other", async () => {
    const body = { metadata: { a: "1", b: "2" }, session_id: "s" };
    const { id } = await agent.ask("same", { key: "order", body });
    const turned = { session_id: "s", metadata: { b: "2", a: "1" } };
    expect(await agent.ask("same", { key: "order", body: turned })).toMatchObject({ id });
    for (const [input, other] of [
      ["other", body],
      ["same", { ...body, session_id: "t" }],
      ["same", { ...body, max_cost_micros: 1_000_000 }],
    ] as const) {
      const refused = await agent.send(input, { key: "order", body: other });
      expect(refused.status).toBe(422);
      expect(await refused.json()).toMatchObject({ code: "idempotency_mismatch" });
    }
    expect(await agent.get(id)).toMatchObject({ status: "succeeded", input: "same" });
  });

  it("is one principal's own: another's same key is another invocation", async () => {
    const as = await newKey(acme);
    const mine = await agent.ask("scoped", { key: "shared" });
    const theirs = await agent.ask("scoped", { key: "shared", as });
    expect(theirs.id).not.toBe(mine.id);
    expect(await agent.ask("scoped", { key: "shared", as })).toMatchObject({ id: theirs.id });
  });

  it("is one agent's own", async () => {
    const other = await liveAgent(acme, "other-agent");
    const here = await agent.ask("both", { key: "two-agents" });
    expect((await other.ask("both", { key: "two-agents" })).id).not.toBe(here.id);
  });

  it("is not burnt by a refusal: 404, 402, 422", async () => {
    const { session_id } = await agent.ask("theirs", { as: await newKey(acme) });
    const cases = [
      [404, { session_id }],
      [402, { max_cost_micros: 1 }],
      [422, { metadata: { ["k".repeat(65)]: "x" } }],
    ] as const;
    for (const [status, body] of cases) {
      const key = `refused-${status}`;
      const before = await agent.rows<{ n: number }>("SELECT count(*) AS n FROM invocation");
      const refused = await agent.send("try", { key, body });
      expect([refused.status, await refused.text()]).toEqual([status, expect.any(String)]);
      expect(await agent.rows("SELECT count(*) AS n FROM invocation")).toEqual(before);
      expect(await agent.ask("try", { key })).toMatchObject({ status: "succeeded" });
    }
  });

  it("G4: joins the run that is under way, and waits with it", async () => {
    const { id } = await agent.start("[[hold]] join", { key: "join" });
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    const waiting = agent.ask("[[hold]] join", { key: "join" });
    const parallel = agent.stream("[[hold]] join", { key: "join" });
    await release(MODEL_SERVER);
    expect(await waiting).toMatchObject({ id, status: "succeeded" });
    expect((await parallel).at(-1)).toMatchObject({ event: "invocation.succeeded" });
    expect(await callsOf(id)).toHaveLength(1);
  });
});

it("leaves the provider's key out of everything a caller can read", async () => {
  const done = await agent.ask("[[status-401]]");
  const texts = [
    JSON.stringify(done),
    JSON.stringify(await agent.steps(done.id)),
    JSON.stringify(await agent.events(done.id)),
  ];
  for (const text of texts) expect(text).not.toContain("sk-tes");
});
