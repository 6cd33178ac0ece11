/** Several objects carry one agent (DECISIONS 3). */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Batch, BatchResult } from "../../core/batches/contract.ts";
import { tagOf } from "../../core/ids.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import { forgetLiveAgentsOf } from "../../workers/serve/live-agents.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { type TestAgent, addProvider, asked, liveAgent, redeploy } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
});

const homeOf = ({ id }: Pick<Invocation, "id">) => tagOf("invocation", id);
const names = Array.from({ length: 24 }, (_, i) => `session-${i}`);

const resize = async (agent: TestAgent, replicas: number): Promise<void> => {
  await redeploy(acme, agent, { replicas });
  forgetLiveAgentsOf(servicesOf(env), acme.id);
};

const inSessions = (agent: TestAgent, input: string) =>
  Promise.all(names.map((name) => agent.ask(input, { body: { session_id: name } })));

describe("an agent with replicas", () => {
  it("F109: spreads its sessions, and each stays where it is", async () => {
    const agent = await liveAgent(acme, "spread", { replicas: 3 });
    const first = await inSessions(agent, "one");
    expect(new Set(first.map(homeOf)).size).toBe(3);
    const second = await inSessions(agent, "two");
    expect(second.map(homeOf)).toEqual(first.map(homeOf));
    expect(second.map((it) => it.session_id)).toEqual(first.map((it) => it.session_id));
    for (const { id, session_id: session } of first.slice(0, 6)) {
      const next = await agent.ask("three", { body: { session_id: session } });
      expect([homeOf(next), next.session_id]).toEqual([homeOf({ id }), session]);
      expect((await agent.get(id)).id).toBe(id);
    }
  });

  it("G4: the same key meets the same replica", async () => {
    const agent = await liveAgent(acme, "keyed-replicas", { replicas: 4 });
    for (let i = 0; i < 8; i += 1) {
      const sent = await Promise.all(
        Array.from({ length: 3 }, () => agent.ask("once", { key: `k${i}` })),
      );
      expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    }
  });

  it("a change of their number moves no session and repeats no request", async () => {
    const agent = await liveAgent(acme, "resized");
    const before = await inSessions(agent, "one");
    const keyed = await Promise.all(
      Array.from({ length: 8 }, (_, i) => agent.ask("once", { key: `k${i}` })),
    );
    await resize(agent, 4);
    const grown = await inSessions(agent, "two");
    expect(grown.map((it) => it.session_id)).toEqual(before.map((it) => it.session_id));
    expect((await asked(grown[3]?.id ?? ""))[0]?.messages.map(({ content }) => content)).toEqual([
      "one",
      "echo: one",
      "two",
    ]);
    const fresh = await Promise.all(
      names.map((name) => agent.ask("new", { body: { session_id: `later ${name}` } })),
    );
    expect(new Set(fresh.map(homeOf)).size).toBe(4);
    await resize(agent, 2);
    const shrunk = await Promise.all(
      names.map((name) => agent.ask("again", { body: { session_id: `later ${name}` } })),
    );
    expect(shrunk.map((it) => it.session_id)).toEqual(fresh.map((it) => it.session_id));
    const again = await Promise.all(keyed.map((_, i) => agent.send("once", { key: `k${i}` })));
    const ids = await Promise.all(again.map(async (it) => (await it.json<Invocation>()).id));
    expect(ids).toEqual(keyed.map(({ id }) => id));
    const last = await Promise.all(Array.from({ length: 30 }, () => agent.ask("anywhere")));
    expect(new Set(last.map(homeOf)).size).toBe(2);
  });

  it("G8: together they never admit more than the agent's rate", async () => {
    const limits = { requests_per_minute: 7 };
    const agent = await liveAgent(acme, "shared-rate", { replicas: 3, limits });
    const sent = await Promise.all(
      Array.from({ length: 60 }, () => agent.send("x", { prefer: "respond-async" })),
    );
    const admitted = sent.filter(({ status }) => status === 202);
    expect(admitted).toHaveLength(7);
    await Promise.all(admitted.map(async (it) => agent.events((await it.json<Invocation>()).id)));
  });

  it("F109: a batch uses all of them", async () => {
    const agent = await liveAgent(acme, "spread-batch", { replicas: 3 });
    const inputs = Array.from({ length: 30 }, (_, i) => ({ input: `n${i}` }));
    const batch = await acme.json<Batch>("/v1/batches", 202, {
      json: { agent: agent.slug, inputs },
    });
    await deliver("berth-batches", [
      { tenantId: acme.id, batchId: batch.id, first: 0 },
      { tenantId: acme.id, batchId: batch.id, first: 0 },
    ]);
    const text = await (await acme.ask(`/v1/batches/${batch.id}/results`)).text();
    const lines = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as BatchResult);
    const ids = lines.flatMap(({ invocation_id: id }) => id ?? []);
    expect(new Set(ids).size).toBe(30);
    expect(new Set(ids.map((id) => homeOf({ id }))).size).toBe(3);
    await Promise.all(ids.map((id) => agent.events(id)));
    for (const replica of [0, 1, 2]) await deliver("berth-ledger", [{ ...agent.owner, replica }]);
    expect(await acme.json(`/v1/batches/${batch.id}`, 200)).toMatchObject({
      status: "completed",
      counts: { succeeded: 30 },
    });
  });

  it("a limit that leaves nothing for a replica is refused at publish", async () => {
    const few = { kind: "llm", replicas: 4, limits: { requests_per_minute: 3 } };
    const json = { slug: "too-few", name: "Too few", spec: few };
    const { id } = await acme.json<{ id: string }>("/v1/agents", 201, { json });
    const answer = await acme.ask(`/v1/agents/${id}/publish`, { method: "POST" });
    expect([answer.status, await answer.json()]).toMatchObject([
      422,
      { code: "spec_invalid", errors: [{ pointer: "/limits/requests_per_minute" }] },
    ]);
  });
});
