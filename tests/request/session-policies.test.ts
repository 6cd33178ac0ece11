/** K12: what becomes of input that arrives while a turn of its session is open. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import {
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  asked,
  liveAgent,
  readUntil,
  redeploy,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});

const underWay = ({ id }: Invocation) => seenBy(MODEL_SERVER, { key: `${id}/model.0` }, 1);
const statusesIn = async (agent: TestAgent, sessionId: string) =>
  (
    await agent.rows<{ status: string }>(
      "SELECT status FROM invocation WHERE session_id = ? ORDER BY turn",
      sessionId,
    )
  ).map(({ status }) => status);

describe("reject", () => {
  it("K12: refuses a second input, burns no key, and takes it when the turn is over", async () => {
    const agent = await liveAgent(acme, "rejects", { session: { policy: "reject" } });
    const body = { session_id: "one" };
    const first = await agent.start("[[hang]]", { body, key: "a" });
    const refused = await agent.send("second", { body, key: "b" });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: "conflict",
      errors: [{ pointer: "/session_id" }],
    });
    const same = await agent.start("[[hang]]", { body, key: "a" });
    expect(same.id).toBe(first.id);
    expect((await agent.start("elsewhere", { body: { session_id: "two" } })).status).toBe(
      "running",
    );
    await agent.cancel(first.id);
    const second = await agent.ask("second", { body, key: "b" });
    expect(second.output?.text).toBe("echo: second");
    expect(await statusesIn(agent, first.session_id)).toEqual(["cancelled", "succeeded"]);
  });
});

describe("interrupt", () => {
  it("K12: cancels the running turn and keeps what it had said, marked", async () => {
    const agent = await liveAgent(acme, "interrupted", { session: { policy: "interrupt" } });
    const body = { session_id: "one" };
    // The caller does not listen: its words are kept all the same.
    const first = await agent.start("[[hang-midstream]] tell me everything", { body });
    await readUntil(await acme.ask(`/v1/invocations/${first.id}/events`), "message.delta");
    const second = await agent.ask("shorter please", { body });
    const cut = await agent.get(first.id);
    expect(cut).toMatchObject({ status: "cancelled", output: { interrupted: true } });
    expect(cut.output?.text).not.toBe("");
    const events = await agent.events(first.id);
    expect(events.at(-1)).toMatchObject({
      event: "invocation.cancelled",
      data: { reason: "interrupted" },
    });
    expect((await asked(second.id))[0]?.messages).toEqual([
      { role: "user", content: "[[hang-midstream]] tell me everything" },
      { role: "assistant", content: `${cut.output?.text} [interrupted]` },
      { role: "user", content: "shorter please" },
    ]);
  });

  it("K12: keeps the input of a turn that had said nothing", async () => {
    const agent = await liveAgent(acme, "silent", { session: { policy: "interrupt" } });
    const body = { session_id: "one" };
    const first = await agent.start("[[hang]] my order is 5", { body });
    await underWay(first);
    const second = await agent.ask("and hurry", { body });
    expect(
      await seenBy(MODEL_SERVER, { key: `${first.id}/model.0`, state: "aborted" }, 1),
    ).toHaveLength(1);
    expect((await asked(second.id))[0]?.messages.map(({ content }) => content)).toEqual([
      "[[hang]] my order is 5",
      "[interrupted]",
      "and hurry",
    ]);
  });

  it("P1: a refusal leaves the running turn as it was", async () => {
    const agent = await liveAgent(acme, "dear", { session: { policy: "interrupt" } });
    const body = { session_id: "one" };
    const first = await agent.start("[[hang]]", { body });
    await underWay(first);
    const dear = await agent.send("too dear", { body: { ...body, max_cost_micros: 1 } });
    expect(dear.status).toBe(402);
    expect((await agent.get(first.id)).status).toBe("running");
    await agent.cancel(first.id);
  });
});

describe("rollback", () => {
  it("K12: takes the running turn out of the history", async () => {
    const agent = await liveAgent(acme, "rolls", { session: { policy: "rollback" } });
    const body = { session_id: "one" };
    await agent.ask("hello", { body });
    const wrong = await agent.start("[[hang]] wrong", { body });
    await underWay(wrong);
    const right = await agent.ask("right", { body });
    expect(await agent.get(wrong.id)).toMatchObject({ status: "cancelled", output: null });
    expect((await asked(right.id))[0]?.messages.map(({ content }) => content)).toEqual([
      "hello",
      "echo: hello",
      "right",
    ]);
    expect((await agent.events(wrong.id)).at(-1)?.data).toMatchObject({ reason: "rolled_back" });
  });

  it("K12: ends a turn that waits for its retry, and the object's count stays right", async () => {
    const agent = await liveAgent(acme, "patient-rolls", {
      session: { policy: "rollback" },
      retry: { policy: "fixed", attempts: 3, base_ms: 3_600_000, cap_ms: 86_400_000 },
      limits: { queue_depth: 2 },
    });
    const body = { session_id: "one" };
    for (let i = 0; i < 4; i += 1) {
      await readUntil(
        await agent.send("[[status-500]]", { body, headers: { accept: "text/event-stream" } }),
        "invocation.waiting",
      );
    }
    expect((await agent.ask("at last", { body })).status).toBe("succeeded");
  });
});

describe("merge", () => {
  const session = { policy: "merge", merge_window_ms: 60_000 } as const;

  it("K12: five messages in a window are one turn, and each caller gets that invocation", async () => {
    const agent = await liveAgent(acme, "merges", { session });
    const inputs = ["a", "b", "c", "d", "e"];
    const sent = [];
    for (const input of inputs) {
      sent.push(await agent.start(input, { key: `k-${input}`, body: { session_id: "one" } }));
    }
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    const again = await agent.send("c", {
      key: "k-c",
      prefer: "respond-async",
      body: { session_id: "one" },
    });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const [first] = sent;
    const id = first?.id ?? "";
    expect((await agent.get(id)).status).toBe("accepted");
    await beginNow(agent, id);
    const done = await agent.ended(id);
    expect(done).toMatchObject({ status: "succeeded", attempts: 1 });
    expect((await asked(id))[0]?.messages).toEqual(
      inputs.map((content) => ({ role: "user", content })),
    );
    const other = await agent.send("other", { key: "k-c", body: { session_id: "one" } });
    expect([other.status, await other.json()]).toMatchObject([
      422,
      { code: "idempotency_mismatch" },
    ]);
  });

  it("K12: what arrives while a turn runs becomes the next turn, together", async () => {
    const agent = await liveAgent(acme, "merges-behind", {
      session: { policy: "merge", merge_window_ms: 10 },
    });
    const body = { session_id: "one" };
    const first = await agent.start("[[hang]] first", { body });
    await underWay(first);
    const next: Invocation[] = [];
    for (const input of ["x", "y", "z"]) next.push(await agent.start(input, { body }));
    expect(new Set(next.map(({ id }) => id)).size).toBe(1);
    await agent.cancel(first.id);
    const done = await agent.ended(next[0]?.id ?? "");
    expect(done.input).toEqual(["x", "y", "z"].map((content) => ({ role: "user", content })));
    expect(await statusesIn(agent, first.session_id)).toEqual(["cancelled", "succeeded"]);
  });

  it("K12: a duplicate of what joined stays one when the policy has changed", async () => {
    const agent = await liveAgent(acme, "merged-once", { session });
    const body = { session_id: "one" };
    const first = await agent.start("a", { body, key: "a" });
    await agent.start("b", { body, key: "b" });
    await redeploy(acme, agent, {});
    const again = await agent.start("b", { body, key: "b" });
    expect(again.id).toBe(first.id);
    await agent.cancel(first.id);
  });

  it("a session without a name has nothing to wait for", async () => {
    const agent = await liveAgent(acme, "alone", { session });
    expect((await agent.ask("now")).output?.text).toBe("echo: now");
  });
});

/** The window of a turn that gathers is over. */
async function beginNow(agent: TestAgent, id: string): Promise<void> {
  await agent.rows("UPDATE invocation SET due_ms = 1 WHERE id = ? RETURNING 1", id);
  await runDurableObjectAlarm(agent.stub());
}
