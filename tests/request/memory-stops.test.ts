/** The object dies at every effect boundary of a run that recalls, sums up and notes down. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, it } from "vitest";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { newWorld, type TestTenant } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;

beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "stopped", {
    memory: { embeddings: "openai/text-embedding-3-small" },
    history: { compaction: { after_tokens: 100, keep_turns: 0 } },
  });
});

async function watch(deadly?: string) {
  let passed: readonly string[] = [];
  let watched: AgentRuntime | undefined;
  await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
    passed = object.faults.watch(deadly);
    watched = object;
  });
  const died = () => runInDurableObject(agent.stub(), (it: AgentRuntime) => it !== watched);
  return { passed: () => passed, died };
}

/** A session whose second turn does all of it. */
async function longSession(name: string): Promise<object> {
  const body = { session_id: name };
  await agent.ask("It was a long story. ".repeat(30), { body });
  return body;
}

const input = (name: string): string =>
  `[[tool-call]] remember ${JSON.stringify({ text: `Noted by ${name}.`, subject: name })}`;

async function check(name: string, id: string): Promise<void> {
  const done = await agent.ended(id);
  expect([name, done.status]).toEqual([name, "succeeded"]);
  const noted = await agent.rows<{ n: number }>(
    "SELECT count(*) AS n FROM passage WHERE subject = ?",
    name,
  );
  expect([name, noted[0]?.n]).toEqual([name, 1]);
  const steps = (await agent.steps(id)).map(({ key, state }) => [key, state]);
  expect(steps).toEqual([
    ["compact.0#0", "done"],
    ["memory.0#0", "done"],
    ["model.0#0", "done"],
    ["tool.0#0", "done"],
    ["model.1#0", "done"],
  ]);
  const replay = await acme.json(`/v1/invocations/${id}/replay`, 200, { method: "POST" });
  expect(replay).toMatchObject({ verdict: "equal" });
}

it("K2: is taken up where it stood, and notes down once", { timeout: 120_000 }, async () => {
  const body = await longSession("calm");
  const calm = await watch();
  const { id } = await agent.start(input("calm"), { key: "calm", body });
  await check("calm", id);
  const counted = calm.passed().map((boundary) => boundary.replace(/^.*?\//, ""));
  expect(counted).toContain("memory.0#0 answered");
  expect(counted).toContain("compact.0#0 answered");
  const visited: string[] = [];
  for (const [n, boundary] of calm.passed().entries()) {
    const name = `stop${n}`;
    const of = await longSession(name);
    const { died } = await watch(boundary);
    const asked = agent.send(input(name), { key: name, body: of });
    await asked.then((answer) => answer.text()).catch(() => undefined);
    const [row] = await agent.rows<{ id: string; status: string }>(
      "SELECT id, status FROM invocation WHERE idem = ?",
      name,
    );
    if (row?.status === "running") await runDurableObjectAlarm(agent.stub());
    await check(name, row?.id ?? "");
    if (await died()) visited.push(boundary);
  }
  expect(visited).toEqual(calm.passed());
});
