/** What an upstream is sent when the object dies: once, or known to be unknown. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { httpAgent, type HttpAgent } from "../fixtures/http-agents.ts";
import { type Ask, type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;

beforeAll(async () => {
  ({ acme } = await newWorld());
});

async function watch(agent: HttpAgent, deadly?: string): Promise<() => readonly string[]> {
  let passed: readonly string[] = [];
  await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
    passed = object.faults.watch(deadly);
  });
  return () => passed;
}

/** The end of the invocation of `key`, which the object may have died under. */
async function endOf(agent: HttpAgent, path: string, ask: Ask, key: string): Promise<Invocation> {
  const keyed = { ...ask, headers: { "idempotency-key": key } };
  await agent
    .proxy(path, keyed)
    .then((answer) => answer.text())
    .catch(() => undefined);
  await runDurableObjectAlarm(agent.stub());
  const again = await agent.proxy(path, keyed);
  await again.text();
  return agent.ended(again.headers.get("berth-invocation") ?? "");
}

/** Dies at every boundary that an unharmed run has; tells how each ended. */
async function stopEverywhere(agent: HttpAgent, path: string, ask: Ask) {
  const passed = await watch(agent);
  await endOf(agent, path, ask, "calm");
  const counted = [...passed()];
  const ends: { readonly at: string; readonly done: Invocation; readonly calls: number }[] = [];
  for (const [n, at] of counted.entries()) {
    await watch(agent, at);
    const done = await endOf(agent, path, ask, `stopped.${n}`);
    const requests = await agent.took(path.slice(1));
    const calls = requests.filter(({ key }) => key === `${done.id}/upstream.0#0`).length;
    ends.push({ at, done, calls });
  }
  expect(counted).toContain("upstream.0#0 sent");
  expect(counted).toContain("upstream.0#0 answered");
  return ends;
}

describe("a forwarded request whose object dies at every boundary", () => {
  it("K2: is sent at most once when it may not be repeated, and never called done unsent", async () => {
    const agent = await httpAgent(acme, "once", { upstream: { on_unknown: "fail" } });
    for (const { at, done, calls } of await stopEverywhere(agent, "/echo", {
      method: "POST",
      raw: "x",
    })) {
      const known = { at, code: undefined, calls: 1 };
      const unknown = { at, code: "effect_unknown", calls: Math.min(calls, 1) };
      expect({ at, code: done.error?.code, calls }).toEqual(
        done.status === "succeeded" ? known : unknown,
      );
    }
  }, 60_000);

  it("K2: is sent again under the same key when it may be, and always ends", async () => {
    const agent = await httpAgent(acme, "repeats", { upstream: { idempotent: true } });
    for (const { at, done, calls } of await stopEverywhere(agent, "/echo", {
      method: "POST",
      raw: "x",
    })) {
      expect([at, done.status]).toEqual([at, "succeeded"]);
      expect(calls).toBeGreaterThanOrEqual(1);
    }
  }, 60_000);

  it("F92: says what another request than the journal's is", async () => {
    const agent = await httpAgent(acme, "changed", { upstream: { idempotent: true } });
    await watch(agent, "upstream.0#0 answered");
    const keyed = { headers: { "idempotency-key": "k" } };
    await agent
      .proxy("/echo", keyed)
      .then((answer) => answer.text())
      .catch(() => undefined);
    await agent.rows("UPDATE invocation SET input = replace(input, '/echo', '/other')");
    await runDurableObjectAlarm(agent.stub());
    const [row] = await agent.rows<{ id: string }>("SELECT id FROM invocation");
    expect(await agent.ended(row?.id ?? "")).toMatchObject({
      status: "failed",
      error: { code: "journal_mismatch" },
    });
    expect(await agent.took("other")).toEqual([]);
  });
});
