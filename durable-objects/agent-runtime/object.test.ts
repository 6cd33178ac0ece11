import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import {
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  liveAgent,
  release,
  seenBy,
} from "../../tests/fixtures/agent-runs.ts";
import { type TestTenant, newWorld } from "../../tests/fixtures/world.ts";
import { MAX_RUNNING } from "./accept.ts";
import { BEAT_MS } from "./alarm.ts";
import type { AgentRuntimeRpc, Call, Owner } from "./contract.ts";

let acme: TestTenant;
let globex: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

const callOf = (owner: Owner): Call => ({
  owner,
  generation: 1,
  principal: "key:mine",
  fingerprint: "",
  input: '"hello"',
  requestId: "req_1",
  deltas: false,
});

describe("an object that somebody owns", () => {
  it("G7: refuses every call in another's name, and changes nothing", async () => {
    const { id } = await agent.ask("mine");
    // The generated stub type loses our unions; the class implements this.
    const runtime = agent.stub() as unknown as AgentRuntimeRpc;
    const before = await agent.rows("SELECT * FROM invocation");
    const others: Owner[] = [
      { ...agent.owner, tenantId: globex.id },
      { ...agent.owner, agentId: "agt_other" },
      { ...agent.owner, environment: "dev" },
      { ...agent.owner, replica: 1 },
    ];
    for (const other of others) {
      const answers = await Promise.all([
        runtime.invoke(callOf(other), 0),
        runtime.stream(callOf(other)),
        runtime.get(other, id),
        runtime.steps(other, id),
        runtime.events(other, id, 0),
        runtime.cancel(other, id),
        runtime.retry(other, id, callOf(other)),
        runtime.health(other, 1),
        runtime.ledger(other, 10),
        runtime.acknowledge(other, [id]),
      ]);
      expect(answers.map(({ ok }) => ok)).toEqual(answers.map(() => false));
    }
    expect(await agent.rows("SELECT * FROM invocation")).toEqual(before);
    expect(await agent.rows("SELECT pending FROM invocation WHERE id = ?", id)).toEqual([
      { pending: 2 },
    ]);
  });
});

describe("an object at capacity", () => {
  it("A2: takes the rest up as places come free, and its alarm does not spin", async () => {
    const busy = await liveAgent(acme, "busy", { model: "openai/hold" });
    const beforeMs = Date.now();
    const started = await Promise.all(
      Array.from({ length: MAX_RUNNING + 3 }, (_, n) => busy.start(`number ${n}`)),
    );
    expect(started.filter(({ status }) => status === "running")).toHaveLength(MAX_RUNNING);
    await seenBy(MODEL_SERVER, { label: "hold" }, MAX_RUNNING);
    const at = await runInDurableObject(busy.stub(), (_object, { storage }) => storage.getAlarm());
    expect(at).toBeGreaterThanOrEqual(beforeMs + BEAT_MS);
    await release(MODEL_SERVER);
    await seenBy(MODEL_SERVER, { label: "hold" }, MAX_RUNNING + 3);
    await release(MODEL_SERVER);
    await Promise.all(started.map(({ id }) => busy.events(id)));
    const ends = await busy.rows<{ status: string }>("SELECT DISTINCT status FROM invocation");
    expect(ends).toEqual([{ status: "succeeded" }]);
  });
});
