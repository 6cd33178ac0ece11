/** Turns of a session: their order, what they remember, and how they are ended from outside. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  asked,
  liveAgent,
  namesOf,
  readUntil,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  const tool = { kind: "http", description: "Does it.", method: "POST" };
  agent = await liveAgent(acme, "worker", {
    tools: [
      { ...tool, name: "book", url: `${FAR_SIDE}/book` },
      { ...tool, name: "holds", url: `${FAR_SIDE}/hold`, timeout_ms: 30_000 },
    ],
  });
});

const statesOf = async (id: string) =>
  (await agent.steps(id)).map(({ key, state }) => [key, state] as const);

describe("a cancel", () => {
  it("A3: reaches the call in flight, and what comes late is nothing", async () => {
    const { id } = await agent.start("[[hang]]");
    const key = `${id}/model.0`;
    await seenBy(MODEL_SERVER, { key }, 1);
    const answer = await agent.cancel(id);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ id, status: "cancelled" });
    expect(await seenBy(MODEL_SERVER, { key, state: "aborted" }, 1)).toHaveLength(1);
    const events = await agent.events(id);
    expect(events.at(-1)).toMatchObject({ event: "invocation.cancelled" });
    expect(namesOf(events)).not.toContain("invocation.failed");
  });

  it("A4: again is the same, and of what has ended otherwise is refused", async () => {
    const { id } = await agent.start("[[hang]]");
    expect((await agent.cancel(id)).status).toBe(200);
    const cancelled = await agent.get(id);
    expect((await agent.cancel(id)).status).toBe(200);
    expect(await agent.get(id)).toEqual(cancelled);
    for (const input of ["done", "[[status-401]]", "[[status-500]]"]) {
      const done = await agent.ask(input);
      expect((await agent.cancel(done.id)).status).toBe(409);
      expect(await agent.get(done.id)).toEqual(done);
    }
  });

  it("reaches a tool, whose outcome is then unknown", async () => {
    const { id } = await agent.start("[[tool-call]] holds {}");
    const key = `${id}/tool.0#0`;
    await seenBy(FAR_SIDE, { key }, 1);
    await agent.cancel(id);
    expect(await seenBy(FAR_SIDE, { key, state: "aborted" }, 1)).toHaveLength(1);
    expect(await statesOf(id)).toEqual([
      ["model.0#0", "done"],
      ["tool.0#0", "unknown"],
    ]);
  });

  it("frees the session: its next turn begins, a cancelled one in between is skipped", async () => {
    const body = { session_id: "freed" };
    const first = await agent.start("[[hang]]", { body });
    const second = await agent.start("never", { body });
    const third = await agent.start("third", { body });
    await seenBy(MODEL_SERVER, { key: `${first.id}/model.0` }, 1);
    expect([second.status, third.status]).toEqual(["accepted", "accepted"]);
    expect((await agent.cancel(second.id)).status).toBe(200);
    expect(await agent.get(second.id)).toMatchObject({ status: "cancelled", attempts: 0 });
    await agent.cancel(first.id);
    expect(await agent.ended(third.id)).toMatchObject({ output: { text: "echo: third" } });
    expect(await asked(second.id)).toEqual([]);
    expect((await asked(third.id))[0]?.messages).toEqual([{ role: "user", content: "third" }]);
  });

  it("of a run that waits for its retry ends it, and it is tried no more", async () => {
    const patient = await liveAgent(acme, "patient", {
      retry: { policy: "fixed", attempts: 3, base_ms: 3_600_000, cap_ms: 86_400_000 },
    });
    await readUntil(
      await patient.send("[[status-500]]", { headers: { accept: "text/event-stream" } }),
      "invocation.waiting",
    );
    const [row] = await patient.rows<{ id: string }>("SELECT id FROM invocation");
    const id = row?.id ?? "";
    expect((await patient.cancel(id)).status).toBe(200);
    expect(namesOf(await patient.events(id)).at(-1)).toBe("invocation.cancelled");
    expect(await seenBy(MODEL_SERVER, { key: `${id}/model.0` })).toHaveLength(1);
  });
});

describe("a session", () => {
  it("F93: takes parallel inputs in the order they came, one at a time", async () => {
    const body = { session_id: "queue" };
    const inputs = ["[[delay-20]] a", "b", "c", "[[flaky-1]] d", "e"];
    const sent = await Promise.all(inputs.map((input) => agent.start(input, { body })));
    const done = await Promise.all(sent.map(({ id }) => agent.ended(id)));
    expect(done.map(({ status }) => status)).toEqual(inputs.map(() => "succeeded"));
    const rows = await agent.rows<{ id: string; turn: number }>(
      "SELECT id, turn FROM invocation WHERE session_id = ? ORDER BY turn",
      sent[0]?.session_id,
    );
    expect(rows.map(({ turn }) => turn)).toEqual([0, 1, 2, 3, 4]);
    const requests = await seenBy(MODEL_SERVER, {});
    const order = requests
      .map(({ key }) => rows.findIndex(({ id }) => key === `${id}/model.0`))
      .filter((turn) => turn >= 0);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const inOrder = rows.map(({ id }) => done.find((one) => one.id === id));
    for (const [n, next] of inOrder.slice(1).entries()) {
      const before = inOrder[n];
      const [begun] = await agent.steps(next?.id ?? "");
      expect(Date.parse(begun?.started_at ?? "")).toBeGreaterThanOrEqual(
        Date.parse(before?.completed_at ?? ""),
      );
    }
    const last = (await asked(rows[4]?.id ?? ""))[0]?.messages ?? [];
    expect(last.map(({ role }) => role)).toEqual(
      Array.from({ length: 9 }, (_, n) => (n % 2 === 0 ? "user" : "assistant")),
    );
  });

  it("F62: remembers: the model is told what was said before", async () => {
    const first = await agent.ask("My name is Ada.");
    const body = { session_id: first.session_id };
    const second = await agent.ask("And now?", { body });
    expect(second.session_id).toBe(first.session_id);
    expect((await asked(second.id))[0]?.messages).toEqual([
      { role: "user", content: "My name is Ada." },
      { role: "assistant", content: "echo: My name is Ada." },
      { role: "user", content: "And now?" },
    ]);
  });

  it("leaves out of its history what got no answer", async () => {
    const body = { session_id: "gaps" };
    await agent.ask("one", { body });
    await agent.ask("[[status-401]] two", { body });
    const { id } = await agent.ask("three", { body });
    expect((await asked(id))[0]?.messages.map(({ content }) => content)).toEqual([
      "one",
      "echo: one",
      "three",
    ]);
  });

  it("keeps tool calls with their results in what it remembers", async () => {
    const body = { session_id: "tools" };
    await agent.ask("[[tool-call]] book {}", { body });
    const { id } = await agent.ask("next", { body });
    expect((await asked(id))[0]?.messages.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
      "user",
    ]);
  });

  it("shows the model whole turns within both bounds of its window", async () => {
    const few = await liveAgent(acme, "few", { history: { max_turns: 2, max_tokens: 8000 } });
    const small = await liveAgent(acme, "small", { history: { max_turns: 20, max_tokens: 12 } });
    const said = async (to: TestAgent) => {
      let last = "";
      for (const input of ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]) {
        ({ id: last } = await to.ask(input, { body: { session_id: "window" } }));
      }
      return (await asked(last))[0]?.messages.map(({ content }) => content);
    };
    expect(await said(few)).toEqual([
      "bbbbbbbb",
      "echo: bbbbbbbb",
      "cccccccc",
      "echo: cccccccc",
      "dddddddd",
    ]);
    // A turn is 2 + 4 tokens: two fit into 12, three do not.
    expect(await said(small)).toEqual([
      "bbbbbbbb",
      "echo: bbbbbbbb",
      "cccccccc",
      "echo: cccccccc",
      "dddddddd",
    ]);
  });

  it("of another principal is as one that is not there", async () => {
    const as = await newKey(acme);
    const { session_id } = await agent.ask("mine");
    const swap = (text: string) => text.replaceAll(/"(request_id|instance)":"[^"]*"/g, '"$1":""');
    const theirs = await agent.send("yours?", { as, body: { session_id } });
    const missing = await agent.send("yours?", {
      as,
      body: { session_id: `${session_id.slice(0, -1)}${session_id.endsWith("0") ? "1" : "0"}` },
    });
    expect([theirs.status, missing.status]).toEqual([404, 404]);
    expect(swap(await theirs.text())).toBe(swap(await missing.text()));
  });

  it("named by a caller is that caller's own", async () => {
    const as = await newKey(acme);
    const body = { session_id: "home" };
    const mine = await agent.ask("secret word", { body });
    const theirs = await agent.ask("what did I say?", { as, body });
    expect(theirs.session_id).not.toBe(mine.session_id);
    expect((await asked(theirs.id))[0]?.messages).toHaveLength(1);
    expect(await agent.ask("again", { body })).toMatchObject({ session_id: mine.session_id });
  });
});

describe("a re-drive", () => {
  it("is a new invocation of the same input and session; the old one stays what it is", async () => {
    const dead = await agent.ask("[[status-500]] again");
    const path = `/v1/invocations/${dead.id}/retry`;
    const again = await acme.json<Invocation>(path, 202, { method: "POST" });
    expect(again).toMatchObject({
      redriven_from: dead.id,
      session_id: dead.session_id,
      input: dead.input,
    });
    await agent.events(again.id);
    expect(await agent.get(dead.id)).toEqual(dead);
  });
});

describe("a re-drive of what is still open", () => {
  it("is refused, and changes nothing", async () => {
    const { id } = await agent.start("[[hang]]");
    const refused = await acme.ask(`/v1/invocations/${id}/retry`, { method: "POST" });
    expect(refused.status).toBe(409);
    const redriven = await agent.rows("SELECT id FROM invocation WHERE redriven_from = ?", id);
    expect(redriven).toEqual([]);
    await agent.cancel(id);
  });
});

describe("a re-drive by somebody else", () => {
  it("goes on in the session that the turn was in", async () => {
    const as = await newKey(acme);
    const dead = await agent.ask("[[status-500]] theirs");
    const path = `/v1/invocations/${dead.id}/retry`;
    const again = await acme.json<Invocation>(path, 202, { method: "POST", as });
    expect(again).toMatchObject({ redriven_from: dead.id, session_id: dead.session_id });
  });
});
