/** Agents that start at their times and after each other (F77). */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Firing } from "../../core/firings/contract.ts";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { Schedule } from "../../core/schedules/contract.ts";
import type { Trigger } from "../../core/triggers/contract.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { fireDueSchedules } from "../../workers/jobs/schedules.ts";
import { retryTriggers } from "../../workers/jobs/triggers.ts";
import { type TestAgent, addProvider, liveAgent, redeploy } from "../fixtures/agent-runs.ts";
import { type TestTenant, deliver, newKey, newWorld, setStanding } from "../fixtures/world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let acme: TestTenant;
let agent: TestAgent;

beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "nightly");
});

afterEach(() => {
  vi.useRealTimers();
});

const { platform } = servicesOf(env);
const sweepAt = (nowMs: number) => fireDueSchedules(platform, env, nowMs);

function create(json: object, as: string = acme.key): Promise<Schedule> {
  const wanted = { name: "Report", agent: "nightly", cron: "0 * * * *", input: "[[echo]] report" };
  return acme.json<Schedule>("/v1/schedules", 201, { json: { ...wanted, ...json }, as });
}

const runsOf = async (id: string) =>
  (await acme.json<{ data: Firing[] }>(`/v1/schedules/${id}/runs?limit=100`, 200)).data;

const change = async (at: Schedule, json: object): Promise<Schedule> => {
  const headers = { "if-match": `"${at.revision}"` };
  const path = `/v1/schedules/${at.id}`;
  return acme.json<Schedule>(path, 200, { method: "PATCH", json, headers });
};

/** When a schedule is due first. */
const firstMs = (schedule: Schedule) => Date.parse(schedule.next_run_at ?? "");

async function end(schedule: Schedule): Promise<void> {
  const { revision } = await acme.json<Schedule>(`/v1/schedules/${schedule.id}`, 200);
  const headers = { "if-match": `"${revision}"` };
  await (await acme.ask(`/v1/schedules/${schedule.id}`, { method: "DELETE", headers })).text();
}

describe("F77: a schedule", () => {
  it("makes one invocation for one occurrence, however often the sweep comes", async () => {
    const schedule = await create({});
    const due = firstMs(schedule);
    await sweepAt(due - 1);
    expect(await runsOf(schedule.id)).toEqual([]);
    await Promise.all([sweepAt(due), sweepAt(due), sweepAt(due + 1000)]);
    await sweepAt(due + MINUTE_MS);
    const [run, ...more] = await runsOf(schedule.id);
    expect(more).toEqual([]);
    expect(run).toMatchObject({ outcome: "started", occurrence: schedule.next_run_at });
    const done = await agent.ended(run?.invocation_id ?? "");
    expect(done).toMatchObject({ status: "succeeded", output: { text: "echo: [[echo]] report" } });
    const after = await acme.json<Schedule>(`/v1/schedules/${schedule.id}`, 200);
    expect(firstMs(after)).toBe(due + HOUR_MS);
    const made = await agent.rows("SELECT 1 FROM invocation WHERE principal = ?", schedule.id);
    expect(made).toHaveLength(1);
    await end(schedule);
  });

  it("died between the start and its record: the same occurrence finds its invocation", async () => {
    const schedule = await create({});
    const due = firstMs(schedule);
    await sweepAt(due);
    const before = await runsOf(schedule.id);
    await env.DB.prepare("UPDATE schedule SET next_ms = ? WHERE id = ?")
      .bind(due, schedule.id)
      .run();
    await env.DB.prepare("DELETE FROM firing WHERE source_id = ?").bind(schedule.id).run();
    await sweepAt(due + 1000);
    const after = await runsOf(schedule.id);
    expect(after.map((it) => it.invocation_id)).toEqual(before.map((it) => it.invocation_id));
    await end(schedule);
  });

  it.each([
    ["skip", ["skipped"]],
    ["one", ["skipped", "started"]],
    ["all", ["started", "started", "started"]],
  ])("nobody swept for three hours: %s", async (missed, outcomes) => {
    const schedule = await create({ missed });
    await sweepAt(firstMs(schedule) + 2 * HOUR_MS + 10 * MINUTE_MS);
    const runs = await runsOf(schedule.id);
    expect(runs.map(({ outcome }) => outcome).toSorted()).toEqual(outcomes);
    await end(schedule);
  });

  it("paused it does nothing, and what would have come is not made up for", async () => {
    const schedule = await create({ missed: "all" });
    const paused = await change(schedule, { paused: true });
    expect(paused.next_run_at).toBeNull();
    await sweepAt(firstMs(schedule) + HOUR_MS);
    expect(await runsOf(schedule.id)).toEqual([]);
    const goes = await change(paused, { paused: false });
    expect(firstMs(goes)).toBeGreaterThan(Date.now());
    await end(schedule);
  });

  it("of a suspended tenant waits", async () => {
    const schedule = await create({});
    await setStanding(acme, "suspend");
    await sweepAt(firstMs(schedule));
    await setStanding(acme, "reactivate");
    expect(await runsOf(schedule.id)).toEqual([]);
    await end(schedule);
  });

  it("whose agent takes no more is tried again while it is on time", async () => {
    const busy = await liveAgent(acme, "busy", { limits: { requests_per_minute: 0 } });
    const schedule = await create({ agent: "busy" });
    const due = firstMs(schedule);
    await sweepAt(due);
    expect(await runsOf(schedule.id)).toEqual([]);
    await redeploy(acme, busy, {});
    await sweepAt(due + MINUTE_MS);
    expect(await runsOf(schedule.id)).toMatchObject([
      { outcome: "started", occurrence: schedule.next_run_at },
    ]);
    await end(schedule);
  });

  it("runs now beside its times, once for one Idempotency-Key", async () => {
    const schedule = await create({ paused: true });
    const path = `/v1/schedules/${schedule.id}/run`;
    const headers = { "idempotency-key": "now-1" };
    const first = await acme.json<{ invocation_id: string }>(path, 202, {
      method: "POST",
      headers,
    });
    const again = await acme.json<{ invocation_id: string }>(path, 202, {
      method: "POST",
      headers,
    });
    expect(again).toEqual(first);
    await agent.ended(first.invocation_id);
    expect(await runsOf(schedule.id)).toMatchObject([{ occurrence: "run now-1" }]);
    await end(schedule);
  });

  it("tells its next runs by the rules for clock changes, and previews others", async () => {
    vi.useFakeTimers({ now: Date.parse("2027-03-27T12:00:00Z"), toFake: ["Date"] });
    const query = new URLSearchParams({ cron: "30 2 * * *", zone: "Europe/Berlin", count: "2" });
    const told = await acme.json(`/v1/schedules/preview?${query.toString()}`, 200);
    expect(told).toEqual({ data: ["2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z"] });
  });

  it("its runs share a session where one is named", async () => {
    const schedule = await create({ session_id: "diary", missed: "all" });
    await sweepAt(firstMs(schedule) + HOUR_MS);
    const runs = await runsOf(schedule.id);
    const made = await Promise.all(runs.map((run) => agent.ended(run.invocation_id ?? "")));
    expect(made).toHaveLength(2);
    expect(new Set(made.map((it) => it.session_id)).size).toBe(1);
    await end(schedule);
  });

  it("is made by nobody who may not invoke the agent", async () => {
    const as = await newKey(acme, { scopes: ["schedules:write", "schedules:read"] });
    const json = { name: "x", agent: "nightly", cron: "@daily", input: "x" };
    const refused = await acme.ask("/v1/schedules", { json, as });
    expect(refused.status).toBe(403);
    await refused.text();
  });

  it.each([
    [{ cron: "61 * * * *" }, "/cron"],
    [{ zone: "Mars/Olympus" }, "/zone"],
    [{ missed: "some" }, "/missed"],
    [{ input: "" }, "/input"],
  ])("refuses %j", async (json, pointer) => {
    const wanted = { name: "x", agent: "nightly", cron: "@daily", input: "x", ...json };
    const refused = await acme.ask("/v1/schedules", { json: wanted });
    const { errors } = await refused.json<{ errors: { pointer: string }[] }>();
    expect([refused.status, errors[0]?.pointer]).toEqual([422, pointer]);
  });
});

describe("F77: a trigger", () => {
  const connect = (json: object) =>
    acme.json<Trigger>("/v1/triggers", 201, {
      json: { name: "Then", agent: "nightly", target: "reviewer", ...json },
    });
  const startedBy = async (id: string) =>
    (await acme.json<{ data: Firing[] }>(`/v1/triggers/${id}/runs?limit=100`, 200)).data;
  const tell = (of: TestAgent) => deliver("berth-ledger", [of.owner]);
  const drop = async ({ id, revision }: Trigger) => {
    const headers = { "if-match": `"${revision}"` };
    await (await acme.ask(`/v1/triggers/${id}`, { method: "DELETE", headers })).text();
  };
  let reviewer: TestAgent;
  beforeAll(async () => {
    reviewer = await liveAgent(acme, "reviewer");
  });

  it("starts the other agent once for one end, with what the template asks of it", async () => {
    const trigger = await connect({ input: "[[echo]] {{agent}} {{status}}: {{output}}" });
    const { id } = await agent.ask("[[echo]] {{id}} news");
    await tell(agent);
    const [run, ...more] = await startedBy(trigger.id);
    expect([run?.occurrence, run?.outcome, more]).toEqual([id, "started", []]);
    const made = await reviewer.ended(run?.invocation_id ?? "");
    expect(made.lineage).toEqual([id]);
    expect(made.input).toBe("[[echo]] nightly succeeded: echo: [[echo]] {{id}} news");
    // The ledger hears of the same end again: it was not acknowledged, say.
    await agent.rows("UPDATE invocation SET pending = 2 WHERE id = ?", id);
    await tell(agent);
    const all = await reviewer.rows("SELECT 1 FROM invocation WHERE principal = ?", trigger.id);
    expect(all).toHaveLength(1);
    await drop(trigger);
  });

  it("waits for the ends it names, and for none before it was there", async () => {
    await agent.ask("[[echo]] before");
    const trigger = await connect({ statuses: ["failed", "dead"], input: "{{error_code}}" });
    await agent.ask("[[echo]] fine");
    const failed = await agent.ask("[[status-400]] no");
    expect(failed.status).toBe("failed");
    await tell(agent);
    const runs = await startedBy(trigger.id);
    expect(runs.map(({ occurrence }) => occurrence)).toEqual([failed.id]);
    const made = await reviewer.ended(runs[0]?.invocation_id ?? "");
    expect(made.input).toBe(failed.error?.code);
    await drop(trigger);
  });

  it("a ring of agents ends: no invocation has more than eight before it", async () => {
    const there = await connect({ input: "[[echo]] {{id}}" });
    const back = await connect({ agent: "reviewer", target: "nightly", input: "[[echo]] {{id}}" });
    await agent.ask("[[echo]] begin");
    for (let i = 0; i < 12; i += 1) {
      await Promise.all((await openOf(agent)).map(({ id }) => agent.ended(id)));
      await tell(agent);
      await Promise.all((await openOf(reviewer)).map(({ id }) => reviewer.ended(id)));
      await tell(reviewer);
    }
    const runs = [...(await startedBy(there.id)), ...(await startedBy(back.id))];
    expect(runs.filter(({ outcome }) => outcome === "started")).toHaveLength(8);
    expect(runs.filter(({ code }) => code === "too_deep")).toHaveLength(1);
    await drop(there);
    await drop(back);
  });

  it("what the target would not take is tried again, and keeps no ledger waiting", async () => {
    const full = await liveAgent(acme, "full", { limits: { requests_per_minute: 0 } });
    const trigger = await connect({ target: "full", input: "[[echo]] x" });
    const { id } = await agent.ask("[[echo]] one");
    await tell(agent);
    expect(await startedBy(trigger.id)).toMatchObject([{ occurrence: id, outcome: "waiting" }]);
    expect(await agent.rows("SELECT 1 FROM invocation WHERE pending = 2")).toEqual([]);
    await redeploy(acme, full, {});
    await retryTriggers(platform, env, Date.now());
    expect(await startedBy(trigger.id)).toMatchObject([{ occurrence: id, outcome: "started" }]);
    await drop(trigger);
  });

  it("is made by nobody who may not read the one and invoke the other", async () => {
    for (const scope of ["invocations:read", "agents:invoke"] as const) {
      const as = await newKey(acme, { scopes: ["schedules:write", scope] });
      const json = { name: "x", agent: "nightly", target: "reviewer" };
      const refused = await acme.ask("/v1/triggers", { json, as });
      expect(refused.status).toBe(403);
      await refused.text();
    }
    const json = { name: "x", agent: "nightly", target: "reviewer", input: "{{secret}}" };
    const refused = await acme.ask("/v1/triggers", { json });
    expect(refused.status).toBe(422);
    await refused.text();
  });

  const openOf = (of: TestAgent): Promise<readonly Pick<Invocation, "id">[]> =>
    of.rows<{ id: string }>("SELECT id FROM invocation WHERE completed_ms IS NULL");
});
