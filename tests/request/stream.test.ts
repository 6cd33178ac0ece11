/** The stream of a run is a view of its log: it misses nothing and repeats nothing (G15, A5). */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { DELTA_RETENTION_MS } from "../../durable-objects/agent-runtime/events.ts";
import {
  MODEL_SERVER,
  TERMINAL,
  type TestAgent,
  type Told,
  addProvider,
  liveAgent,
  namesOf,
  readUntil,
  release,
  seenBy,
  told,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

const SSE = { accept: "text/event-stream" };
const idOf = (events: readonly Told[]) => String(events[0]?.data["invocation_id"]);
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe("a streamed invocation", () => {
  it("G15: tells its events in order, without a gap, and ends after the terminal one", async () => {
    const response = await agent.send("[[stream-8-15]]", { headers: SSE });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const events = told(await response.text());
    expect(response.headers.get("content-location")).toBe(`/v1/invocations/${idOf(events)}`);
    expect(events.map(({ seq }) => seq)).toEqual(numbers(1, events.length));
    const deltas = events.filter(({ event }) => event === "message.delta");
    expect(deltas.length).toBeGreaterThan(1);
    expect(namesOf(events)).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      ...deltas.map(({ event }) => event),
      "step.finished",
      "message.completed",
      "invocation.succeeded",
    ]);
    const { output } = await agent.get(idOf(events));
    expect(wordsOf(events)).toBe(output?.text);
    expect(events.at(-2)?.data).toMatchObject({ text: output?.text });
    expect(events.at(-1)?.data).toEqual({ invocation: await agent.get(idOf(events)) });
  });

  it("tells the first words while the model is still speaking", async () => {
    const events = await readUntil(
      await agent.send("[[hang-midstream]]", { headers: SSE }),
      "message.delta",
    );
    expect(wordsOf(events)).toContain("word0");
    expect((await agent.cancel(idOf(events))).status).toBe(200);
  });

  it("A5: shows a second viewer the same, from while it runs to its end", async () => {
    const first = await readUntil(
      await agent.send("[[hold]] both", { headers: SSE }),
      "step.started",
    );
    const id = idOf(first);
    const viewers = [agent.events(id), agent.events(id, 2), agent.events(id)];
    await seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
    await release(MODEL_SERVER);
    const [one, late, two] = await Promise.all(viewers);
    expect(one).toEqual(two);
    expect(one?.slice(2)).toEqual(late);
    expect(one?.slice(0, first.length)).toEqual(first);
    expect(one?.at(-1)).toMatchObject({ event: "invocation.succeeded" });
  });

  it("goes on without its reader, who finds the rest in the log", async () => {
    const seen = await readUntil(
      await agent.send("[[stream-20-5]]", { headers: SSE }),
      "message.delta",
    );
    const last = seen.at(-1)?.seq ?? 0;
    const rest = await agent.events(idOf(seen), last);
    expect(rest[0]?.seq).toBe(last + 1);
    expect(await agent.events(idOf(seen))).toEqual([...seen, ...rest]);
    const { output, status } = await agent.get(idOf(seen));
    expect([status, wordsOf([...seen, ...rest])]).toEqual(["succeeded", output?.text]);
  });

  it("G15: resumed after any event is the log", async () => {
    const log = await agent.stream("[[stream-12-10]]");
    const id = idOf(log);
    for (const cut of numbers(0, log.length)) {
      const rest = await agent.events(id, cut);
      expect([...log.slice(0, cut), ...rest]).toEqual(log);
    }
    expect(await agent.events(id, log.length + 5)).toEqual([]);
  });

  it("is written for an unwatched run too, without its words", async () => {
    const { id } = await agent.ask("[[stream-5]]");
    const events = await agent.events(id);
    expect(namesOf(events)).not.toContain("message.delta");
    expect(events.map(({ seq }) => seq)).toEqual(numbers(1, events.length));
    expect(events.filter(({ event }) => TERMINAL.includes(event))).toHaveLength(1);
  });

  it("of a failure ends with it, and says no completed message", async () => {
    const events = await agent.stream("[[status-401]]");
    expect(namesOf(events)).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "step.finished",
      "invocation.failed",
    ]);
    expect(events.at(-1)?.data).toMatchObject({ invocation: { error: { code: "model_failed" } } });
  });
});

describe("after an hour", () => {
  it("the words are dropped by the alarm; what is left tells the whole message once", async () => {
    const log = await agent.stream("[[stream-9-15]]");
    const id = idOf(log);
    await runInDurableObject(agent.stub(), (_object, { storage }) => {
      const agoMs = Date.now() - DELTA_RETENTION_MS - 1;
      storage.sql.exec("UPDATE invocation SET completed_ms = ? WHERE id = ?", agoMs, id);
      return storage.setAlarm(Date.now() + 60_000);
    });
    expect(await runDurableObjectAlarm(agent.stub())).toBe(true);
    const kept = await agent.events(id);
    expect(kept.map(({ event, seq }) => [event, seq])).toEqual(
      log.filter(({ event }) => event !== "message.delta").map(({ event, seq }) => [event, seq]),
    );
    const { output } = await agent.get(id);
    for (const cut of numbers(0, log.length - 2)) {
      const rest = await agent.events(id, cut);
      expect(wordsOf(rest)).toBe("");
      expect(rest.filter(({ event }) => event === "message.completed")).toMatchObject([
        { data: { text: output?.text } },
      ]);
    }
  });

  it("large words leave nothing behind", async () => {
    const log = await agent.stream("[[huge-1]]");
    const id = idOf(log);
    const parts = () =>
      agent.rows<{ ref: string }>("SELECT DISTINCT ref FROM content WHERE ref LIKE ?", `${id}/%`);
    expect((await parts()).some(({ ref }) => ref.includes("/event/"))).toBe(true);
    await runInDurableObject(agent.stub(), (_object, { storage }) => {
      const agoMs = Date.now() - DELTA_RETENTION_MS - 1;
      storage.sql.exec("UPDATE invocation SET completed_ms = ? WHERE id = ?", agoMs, id);
      return storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(agent.stub());
    expect((await parts()).filter(({ ref }) => ref.includes("/event/"))).toEqual([]);
    expect((await agent.get(id)).output?.text).toHaveLength(1024 * 1024);
  });
});
