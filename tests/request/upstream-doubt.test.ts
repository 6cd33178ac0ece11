/** Requests that an upstream may have taken: people say what came of them (K2, F67). */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Approval } from "../../core/approvals/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import { type HttpAgent, httpAgent } from "../fixtures/http-agents.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let asker: string;
let decider: string;

beforeAll(async () => {
  ({ acme } = await newWorld());
  asker = await newKey(acme);
  decider = await newKey(acme, { scopes: ["approvals:read", "approvals:decide"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A POST of which the answer was lost, and what people are asked about it. */
async function doubtful(agent: HttpAgent) {
  const answer = await agent.proxy("/lost", { method: "POST", raw: "pay 7", as: asker });
  const { id, status } = await answer.json<Invocation>();
  expect([answer.status, status]).toEqual([202, "waiting"]);
  return { id, approval: await pendingOf(agent, id) };
}

async function pendingOf(agent: HttpAgent, id: string): Promise<Approval> {
  const [row] = await agent.rows<{ id: string }>(
    "SELECT id FROM approval WHERE invocation_id = ? AND status = 'pending'",
    id,
  );
  return acme.json<Approval>(`/v1/approvals/${row?.id}`, 200);
}

const decide = ({ id, digest }: Approval, verb: string, more: object = {}) =>
  acme.json(`/v1/approvals/${id}/${verb}`, 200, { json: { digest, ...more }, as: decider });

const stateOf = async (agent: HttpAgent, id: string) => (await agent.steps(id))[0]?.state;

describe("a request whose outcome is unknown", { timeout: 60_000 }, () => {
  it("K2: is asked about as what it was, and ends as people say that it did", async () => {
    const agent = await httpAgent(acme, "doubts");
    const { id, approval } = await doubtful(agent);
    expect(approval).toMatchObject({
      kind: "effect",
      status: "pending",
      arguments: { method: "POST", path: "/lost", body: { encoding: "text", data: "pay 7" } },
    });
    expect(await stateOf(agent, id)).toBe("unknown");
    await evictDurableObject(agent.stub());
    await decide(approval, "happened", { result: "paid: 7" });
    const done = await agent.ended(id);
    expect(done).toMatchObject({
      status: "succeeded",
      output: { response: { status: 200, body: { encoding: "text", data: "paid: 7" } } },
    });
    expect(await stateOf(agent, id)).toBe("done");
    expect(await agent.took("lost")).toHaveLength(1);
    const replayed = await acme.json(`/v1/invocations/${id}/replay`, 200, { method: "POST" });
    expect(replayed).toMatchObject({ verdict: "equal" });
  });

  it("K2: is asked about, and not sent again, when the object dies before the answer is stored", async () => {
    const agent = await httpAgent(acme, "dies");
    await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
      object.faults.watch("upstream.0#0 answered");
    });
    const sent = agent.proxy("/echo", { method: "POST", raw: "x", as: asker });
    await sent.then((answer) => answer.text()).catch(() => undefined);
    await runDurableObjectAlarm(agent.stub());
    const [row] = await agent.rows<{ id: string }>("SELECT id FROM invocation");
    const id = row?.id ?? "";
    await expect.poll(async () => (await agent.get(id)).status).toBe("waiting");
    expect(await agent.took("echo")).toHaveLength(1);
    await decide(await pendingOf(agent, id), "approve");
    expect((await agent.ended(id)).status).toBe("succeeded");
    const keys = (await agent.took("echo")).map(({ key }) => key);
    expect(keys).toEqual([`${id}/upstream.0#0`, `${id}/upstream.0#0`]);
  });

  it("K2: fails when people say that it did not happen, and is not sent again", async () => {
    const agent = await httpAgent(acme, "denied");
    const { id, approval } = await doubtful(agent);
    await decide(approval, "reject", { reason: "The bank has nothing." });
    expect(await agent.ended(id)).toMatchObject({
      status: "failed",
      error: { code: "upstream_failed", detail: expect.stringContaining("The bank has nothing.") },
    });
    expect(await agent.took("lost")).toHaveLength(1);
  });

  it("K2: is sent once more when people say so, and asked about anew when it is lost again", async () => {
    const agent = await httpAgent(acme, "insists");
    const { id, approval } = await doubtful(agent);
    await decide(approval, "approve");
    await agent.took("lost", 2);
    await expect.poll(async () => (await agent.get(id)).status).toBe("waiting");
    const again = await pendingOf(agent, id);
    expect(again.id).not.toBe(approval.id);
    const [one, two] = await agent.took("lost");
    expect([two?.key, two?.body]).toEqual([one?.key, one?.body]);
    await decide(again, "happened", { result: "at last" });
    expect((await agent.ended(id)).status).toBe("succeeded");
    expect(await agent.took("lost")).toHaveLength(2);
  });

  it("K2: that people let go waits for an upstream that is not there, and is not asked about twice", async () => {
    const breaker = { failures: 2, open_ms: 60_000 };
    const agent = await httpAgent(acme, "later", { upstream: { breaker } });
    const { id, approval } = await doubtful(agent);
    await agent.set("gone");
    await (await agent.proxy("/echo", { as: asker })).text(); // opens the breaker
    await decide(approval, "approve");
    await runDurableObjectAlarm(agent.stub());
    await expect.poll(async () => (await agent.get(id)).status).toBe("waiting");
    expect(await stateOf(agent, id)).toBe("planned");
    const kinds = await agent.rows("SELECT status FROM approval WHERE invocation_id = ?", id);
    expect(kinds).toEqual([{ status: "approved" }]);
    expect((await agent.cancel(id)).status).toBe(200);
    expect(await agent.took("lost")).toHaveLength(1);
  });

  it("K9: about which nobody decides in time ends so, and stays unknown", async () => {
    const agent = await httpAgent(acme, "expires");
    const { id, approval } = await doubtful(agent);
    const now = Date.parse(approval.expires_at) + 1;
    vi.useFakeTimers({ toFake: ["Date"], now });
    await runDurableObjectAlarm(agent.stub());
    expect(await agent.ended(id)).toMatchObject({
      status: "failed",
      error: { code: "approval_expired" },
    });
    expect(await stateOf(agent, id)).toBe("unknown");
    expect(await agent.took("lost")).toHaveLength(1);
  });
});
