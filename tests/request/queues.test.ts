/** What an agent has before it, seen and cleared (F100). */
import { beforeAll, describe, expect, it } from "vitest";
import {
  type TestAgent,
  MODEL_SERVER,
  addProvider,
  liveAgent,
  release,
} from "../fixtures/agent-runs.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

type Queue = {
  readonly counts: Readonly<Record<string, number>>;
  readonly data: readonly { invocation_id: string; status: string; waits_for: string | null }[];
  readonly next_cursor: string | null;
};

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "busy", {
    retry: { attempts: 3, base_ms: 3_600_000, cap_ms: 3_600_000 },
  });
});

const queue = (query = "") => acme.json<Queue>(`/v1/agents/busy/queue?${query}`, 200);

describe("F100: an agent's queue", () => {
  it("F100: shows what runs, what waits and for what, page by page, and clears what does not run", async () => {
    const headers = { "x-request-id": "req-of-the-caller-1" };
    const sent = await agent.send("[[hold]]", { prefer: "respond-async", headers });
    expect(sent.headers.get("x-request-id")).toBe("req-of-the-caller-1");
    const held = await sent.json<{ id: string; session_id: string }>();
    const behind = await agent.start("next", { body: { session_id: held.session_id } });
    const failing = await agent.start("[[status-503]]");
    let seen = await queue();
    while (seen.data.find((one) => one.invocation_id === failing.id)?.waits_for !== "retry") {
      seen = await queue();
    }
    expect(seen.counts).toEqual({ accepted: 2, running: 1, waiting: 0 });
    expect(
      seen.data.map(({ invocation_id, status, waits_for }) => [invocation_id, status, waits_for]),
    ).toEqual([
      [held.id, "running", null],
      [behind.id, "accepted", "session"],
      [failing.id, "accepted", "retry"],
    ]);
    const first = await queue("limit=2");
    expect(first.data.map((one) => one.invocation_id)).toEqual([held.id, behind.id]);
    const rest = await queue(`limit=2&cursor=${first.next_cursor ?? ""}`);
    expect(rest).toMatchObject({ data: [{ invocation_id: failing.id }], next_cursor: null });
    const cleared = await acme.json("/v1/agents/busy/queue/clear", 200, { method: "POST" });
    expect(cleared).toEqual({ cancelled: 2 });
    expect((await agent.get(failing.id)).status).toBe("cancelled");
    expect((await agent.get(behind.id)).status).toBe("cancelled");
    await release(MODEL_SERVER);
    expect((await agent.ended(held.id)).status).toBe("succeeded");
    expect(await queue()).toMatchObject({ counts: { accepted: 0, running: 0 }, data: [] });
  });

  it("F100: is that of the environment asked for, and of one's own agents", async () => {
    expect(await queue("environment=dev")).toMatchObject({ data: [] });
    await liveAgent(acme, "other", {});
    const as = await newKey(acme, { agent: "other" });
    expect((await acme.ask("/v1/agents/busy/queue", { as })).status).toBe(404);
    expect((await acme.ask("/v1/agents/busy/queue?cursor=%2a", {})).status).toBe(400);
  });
});
