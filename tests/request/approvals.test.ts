/** Decisions that runs wait for: bound, signed, decided once, and patient (K9, F67). */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Approval, ApprovalSummary } from "../../core/approvals/contract.ts";
import type { Schedule } from "../../core/schedules/contract.ts";
import {
  FAR_SIDE,
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  readUntil,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { newPerson } from "../fixtures/people.ts";
import { type TestTenant, deliver, newAgent, newKey, newWorld } from "../fixtures/world.ts";

const DAY_MS = 86_400_000;

let acme: TestTenant;
let agent: TestAgent;
/** Whoever asks. */
let asker: string;
/** Somebody else. */
let other: string;
let third: string;

beforeAll(async () => {
  const world = await newWorld();
  ({ acme } = world);
  await addProvider(acme);
  const pays = (name: string, approval: object, more: object = {}) => ({
    kind: "http",
    name,
    description: `Pays by ${name}.`,
    method: "POST",
    url: `${FAR_SIDE}/${name}`,
    input_schema: {
      type: "object",
      properties: { amount: { type: "integer", minimum: 1 } },
      required: ["amount"],
    },
    approval,
    ...more,
  });
  agent = await liveAgent(acme, "payer", {
    tools: [
      pays("transfer", { expires_in_s: 30 * 86_400 }),
      pays("large", { when: [{ argument: "/amount", op: "above", value: 100 }] }),
      pays("paired", { quorum: 2 }),
      pays("lapse-open", { expires_in_s: 60, on_expiry: "approve" }),
      pays("lapse-fail", { expires_in_s: 60, on_expiry: "fail" }),
      pays("lapse-shut", { expires_in_s: 60 }),
      pays("fixed", { editable: false }),
      pays("named", { deciders: { users: [acme.adminId] } }),
      pays("staffed", { deciders: { roles: ["operator"] } }),
    ],
  });
  asker = await newKey(acme);
  other = await newKey(acme, { scopes: ["approvals:read", "approvals:decide"] });
  third = await newKey(acme, { scopes: ["approvals:read", "approvals:decide"] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A run that waits, and what it waits for. */
async function waiting(
  input: string,
  as = asker,
): Promise<{ readonly id: string; readonly approval: Approval }> {
  const response = await agent.send(`[[tool-call]] ${input}`, { as });
  const { id, status } = await response.json<{ id: string; status: string }>();
  expect([response.status, status]).toEqual([202, "waiting"]);
  return { id, approval: await pendingOf(id) };
}

async function pendingOf(invocationId: string): Promise<Approval> {
  const [row] = await agent.rows<{ id: string }>(
    "SELECT id FROM approval WHERE invocation_id = ? ORDER BY id DESC",
    invocationId,
  );
  return acme.json<Approval>(`/v1/approvals/${row?.id}`, 200);
}

type Said = { readonly digest?: string; readonly [name: string]: unknown };

function say(approval: Approval, verb: string, said: Said = {}, as = other): Promise<Response> {
  const json = { digest: approval.digest, ...said };
  return acme.ask(`/v1/approvals/${approval.id}/${verb}`, { json, as });
}

async function status(response: Promise<Response>): Promise<number> {
  const answer = await response;
  await answer.text();
  return answer.status;
}

const callsOf = (id: string) => seenBy(FAR_SIDE, { key: `${id}/tool.0#0` });

describe("F67: a tool that people decide about", () => {
  it("K9: is not called before somebody else approves, and then once, as it was asked", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    expect(approval).toMatchObject({
      status: "pending",
      name: "transfer",
      arguments: { amount: 7 },
      decision: null,
      version: 1,
    });
    expect(await callsOf(id)).toEqual([]);
    expect(await status(say(approval, "approve"))).toBe(200);
    const done = await agent.ended(id);
    expect(done.status).toBe("succeeded");
    expect(await callsOf(id)).toMatchObject([{ body: '{"amount":7}' }]);
    expect(done.output?.text).not.toContain("changed the arguments");
    expect(namesOf(await agent.events(id))).toEqual(
      expect.arrayContaining(["approval.requested", "invocation.waiting", "tool.returned"]),
    );
  });

  it("K9: is decided by nobody its run acts as, nor by whom the rule does not name", async () => {
    const { approval } = await waiting('transfer {"amount":7}');
    expect(await status(say(approval, "approve", {}, asker))).toBe(403);
    const minted = await acme.json<{ secret: string }>("/v1/keys", 201, {
      json: { name: "another hand", scopes: ["approvals:decide"] },
      as: asker,
    });
    expect(await status(say(approval, "approve", {}, minted.secret))).toBe(403);
    const named = await waiting('named {"amount":7}');
    expect(await status(say(named.approval, "approve"))).toBe(403);
    const weak = await newKey(acme, { scopes: ["approvals:read"] });
    expect(await status(say(approval, "approve", {}, weak))).toBe(403);
  });

  it("K9: roles decide where they let their holder decide about this very agent", async () => {
    const { approval } = await waiting('staffed {"amount":7}');
    const path = `/v1/approvals/${approval.id}/approve`;
    const json = { digest: approval.digest };
    const elsewhere = await newAgent(acme, "elsewhere");
    const outsider = await newPerson(acme, "viewer");
    const role = { principal: outsider.id, role: "operator", agent: elsewhere.id };
    await acme.json("/v1/assignments", 201, { json: role });
    const admin = await newPerson(acme, "admin");
    const operator = await newPerson(acme, "operator");
    expect(await status(outsider.ask(path, { json }))).not.toBe(200);
    expect(await status(admin.ask(path, { json }))).toBe(403);
    expect(await status(operator.ask(path, { json }))).toBe(200);
  });

  it("K9: is decided by nobody who had a hand in the schedule it runs under, gone or not", async () => {
    const scopes = [
      "schedules:read",
      "schedules:write",
      "agents:invoke",
      "approvals:decide",
    ] as const;
    const [maker, changer] = [await newKey(acme, { scopes }), await newKey(acme, { scopes })];
    const json = { agent: agent.id, name: "daily", cron: "0 6 * * *", input: "nothing" };
    const made = await acme.json<Schedule>("/v1/schedules", 201, { json, as: maker });
    const path = `/v1/schedules/${made.id}`;
    const at = (revision: number) => ({ "if-match": `"${revision}"` });
    const changed = { method: "PATCH", headers: at(made.revision), as: changer };
    const patch = { input: '[[tool-call]] transfer {"amount":7}' };
    const { revision } = await acme.json<Schedule>(path, 200, { ...changed, json: patch });
    const run = { method: "POST", as: changer };
    const { invocation_id: id } = await acme.json<{ invocation_id: string }>(
      `${path}/run`,
      202,
      run,
    );
    await readUntil(await acme.ask(`/v1/invocations/${id}/events`), "invocation.waiting");
    const gone = { method: "DELETE", headers: at(revision), as: maker };
    expect(await status(acme.ask(path, gone))).toBe(204);
    const approval = await pendingOf(id);
    expect(await status(say(approval, "approve", {}, changer))).toBe(403);
    expect(await status(say(approval, "approve", {}, maker))).toBe(403);
    expect(await status(say(approval, "approve"))).toBe(200);
  });

  it("K9: a person is one, by whatever key: neither its own runs nor two votes", async () => {
    const person = await newPerson(acme);
    const key = async (scopes: readonly string[]) => {
      const made = await person.ask("/v1/users/me/api-keys", { json: { name: "mine", scopes } });
      return (await made.json<{ secret: string }>()).secret;
    };
    const own = await key(["agents:invoke", "approvals:decide"]);
    const { approval } = await waiting('transfer {"amount":7}', own);
    const path = `/v1/approvals/${approval.id}/approve`;
    const json = { digest: approval.digest };
    expect(await status(person.ask(path, { json }))).toBe(403);
    expect(await status(say(approval, "approve", {}, await key(["approvals:decide"])))).toBe(403);
    const paired = await waiting('paired {"amount":7}');
    await (await say(paired.approval, "approve", {}, own)).text();
    const again = await person.ask(`/v1/approvals/${paired.approval.id}/approve`, {
      json: { digest: paired.approval.digest },
    });
    expect(await again.json<Approval>()).toMatchObject({ status: "pending", votes: [{}] });
  });

  it("K9: a rejection goes to the model and nothing is called", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    expect(await status(say(approval, "reject", { reason: "Too early." }))).toBe(200);
    const done = await agent.ended(id);
    expect(done.output?.text).toContain("was not approved. Too early.");
    expect(await callsOf(id)).toEqual([]);
  });

  it("K9: edit and approve: another digest, the changed arguments are called, the model is told", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    expect(await status(say(approval, "approve", { arguments: { amount: 0 } }))).toBe(422);
    const answer = await say(approval, "approve", { arguments: { amount: 5 } });
    const decided = await answer.json<Approval>();
    expect(decided.decision?.digest).not.toBe(approval.digest);
    expect(decided.decision).toMatchObject({ arguments: { amount: 5 } });
    const done = await agent.ended(id);
    expect(await callsOf(id)).toMatchObject([{ body: '{"amount":5}' }]);
    expect(done.output?.text).toContain('changed the arguments before it was called: {"amount":5}');
    const fixed = await waiting('fixed {"amount":7}');
    expect(await status(say(fixed.approval, "approve", { arguments: { amount: 5 } }))).toBe(403);
  });

  it("K9: the first valid decision wins; the same again is the same answer, another is refused", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    const first = await (await say(approval, "approve")).json<Approval>();
    const again = await (await say(approval, "approve", {}, third)).json<Approval>();
    expect(again).toEqual(first);
    expect(await status(say(approval, "reject", {}, third))).toBe(409);
    await agent.ended(id);
    expect(await callsOf(id)).toHaveLength(1);
  });

  it("K9: of ten that decide at once, one outcome stands and the call is made at most once", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    const verbs = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? "approve" : "reject"));
    const codes = await Promise.all(verbs.map((verb) => status(say(approval, verb))));
    const won = codes.map((code, i) => (code === 200 ? verbs[i] : "")).filter((it) => it !== "");
    expect(new Set(won).size).toBe(1);
    await agent.ended(id);
    expect(await callsOf(id)).toHaveLength(won[0] === "approve" ? 1 : 0);
  });

  it("K9: a quorum is of different people, about the same thing", async () => {
    const { id, approval } = await waiting('paired {"amount":7}');
    expect(await (await say(approval, "approve")).json<Approval>()).toMatchObject({
      status: "pending",
    });
    expect(await (await say(approval, "approve")).json<Approval>()).toMatchObject({
      status: "pending",
    });
    const edit = { arguments: { amount: 6 } };
    expect(await (await say(approval, "approve", edit, third)).json<Approval>()).toMatchObject({
      status: "pending",
    });
    expect(await (await say(approval, "approve", edit)).json<Approval>()).toMatchObject({
      status: "approved",
    });
    await agent.ended(id);
    expect(await callsOf(id)).toMatchObject([{ body: '{"amount":6}' }]);
  });

  it("is asked for by the arguments where the rule says so", async () => {
    expect((await agent.ask('[[tool-call]] large {"amount":100}')).status).toBe("succeeded");
    const { approval } = await waiting('large {"amount":101}');
    expect(approval.name).toBe("large");
  });

  it("K9: a decision about something else than was read is refused", async () => {
    const { approval } = await waiting('transfer {"amount":7}');
    expect(await status(say(approval, "approve", { digest: "AAAA" }))).toBe(412);
  });
});

describe("K9: what does not verify is never acted on", () => {
  it.each([
    ["an argument", `UPDATE approval SET input = replace(input, '7', '8') WHERE id = ?`],
    ["the rule", `UPDATE approval SET rule = replace(rule, 'reject', 'approve') WHERE id = ?`],
    ["the outcome", `UPDATE approval SET status = 'approved', decided_ms = 1 WHERE id = ?`],
  ])("one byte of %s changed: not decided, not executed", async (_what, change) => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    await agent.rows(change, approval.id);
    expect(await status(say(approval, "approve"))).toBe(409);
    await agent.rows("UPDATE invocation SET due_ms = 1 WHERE id = ?", id);
    await runDurableObjectAlarm(agent.stub());
    const done = await agent.ended(id);
    expect(done.error?.code).toBe("journal_mismatch");
    expect(await callsOf(id)).toEqual([]);
  });

  it("signed under a key that is gone it is asked anew, and counts for nothing", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    await agent.rows(
      `UPDATE approval SET status = 'approved', decided_ms = 1,
         signature = replace(signature, 'v1.', 'v1.old-') WHERE id = ?`,
      approval.id,
    );
    const [{ seq } = { seq: 0 }] = await agent.rows<{ seq: number }>(
      "SELECT max(seq + count) - 1 AS seq FROM event WHERE invocation_id = ?",
      id,
    );
    expect(await status(say(approval, "approve"))).toBe(409);
    const path = `/v1/invocations/${id}/events?after=${seq}`;
    await readUntil(await acme.ask(path), "invocation.waiting");
    const again = await acme.json<Approval>(`/v1/approvals/${approval.id}`, 200);
    expect([again.status, again.votes]).toEqual(["pending", []]);
    expect(await callsOf(id)).toEqual([]);
    expect(await status(say(again, "approve"))).toBe(200);
    await agent.ended(id);
    expect(await callsOf(id)).toHaveLength(1);
  });

  it("an approval of other arguments is none of these", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    await agent.rows(
      `UPDATE invocation SET first_output = replace(first_output, '7', '9') WHERE id = ?`,
      id,
    );
    expect(await status(say(approval, "approve"))).toBe(200);
    const done = await agent.ended(id);
    expect(done.error?.code).toBe("journal_mismatch");
    expect(await callsOf(id)).toEqual([]);
  });
});

describe("K9: when nobody decides", () => {
  it.each([
    ["lapse-open", "succeeded", undefined, 1],
    ["lapse-shut", "succeeded", undefined, 0],
    ["lapse-fail", "failed", "approval_expired", 0],
  ])("%s: the outcome the rule names", async (tool, outcome, code, calls) => {
    const { id, approval } = await waiting(`${tool} {"amount":7}`);
    vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ["Date"] });
    expect(await status(say(approval, "approve"))).toBe(409);
    await runDurableObjectAlarm(agent.stub());
    const done = await agent.ended(id);
    const made = (await callsOf(id)).length;
    expect([done.status, done.error?.code, made]).toEqual([outcome, code, calls]);
    const after = await acme.json<Approval>(`/v1/approvals/${approval.id}`, 200);
    expect(after.status).toBe("expired");
  });

  it("F67: three weeks, an eviction and a restart of the object later the run goes on", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    await evictDurableObject(agent.stub());
    vi.useFakeTimers({ now: Date.now() + 21 * DAY_MS, toFake: ["Date"] });
    await runDurableObjectAlarm(agent.stub());
    expect((await agent.get(id)).status).toBe("waiting");
    await runInDurableObject(agent.stub(), (_object, state) => state.abort("restart")).catch(
      () => undefined,
    );
    expect(await status(say(approval, "approve"))).toBe(200);
    expect((await agent.ended(id)).status).toBe("succeeded");
    expect(await callsOf(id)).toHaveLength(1);
  });

  it("a cancelled run takes its question back", async () => {
    const { id, approval } = await waiting('transfer {"amount":7}');
    await (await agent.cancel(id)).text();
    const after = await acme.json<Approval>(`/v1/approvals/${approval.id}`, 200);
    expect(after.status).toBe("cancelled");
    expect(await status(say(approval, "approve"))).toBe(409);
  });
});

describe("the listing", () => {
  const list = async (query: string) =>
    (await acme.json<{ data: ApprovalSummary[] }>(`/v1/approvals?limit=100&${query}`, 200)).data;

  it("K9: decided in one place is seen in all, after the ledger's next visit", async () => {
    const { approval } = await waiting('transfer {"amount":7}');
    await deliver("berth-ledger", [agent.owner]);
    expect(await list("status=pending")).toContainEqual(
      expect.objectContaining({ id: approval.id, name: "transfer", status: "pending" }),
    );
    await (await say(approval, "reject")).text();
    await deliver("berth-ledger", [agent.owner, agent.owner]);
    const one = (await list("agent=payer")).find(({ id }) => id === approval.id);
    expect(one?.status).toBe("rejected");
    expect(JSON.stringify(one)).not.toContain("amount");
  });
});
