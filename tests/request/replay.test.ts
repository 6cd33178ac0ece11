/**
 * What can be done with an invocation that has ended: replayed with nothing sent, forked from a
 * step, compared, resumed where it broke, accounted for (K3, K4).
 */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Invocation } from "../../core/invocations/contract.ts";
import type { Diff, Receipt, Replay } from "../../core/replays/contract.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  addProvider,
  asked,
  liveAgent,
  redeploy,
  seenBy,
} from "../fixtures/agent-runs.ts";
import { httpAgent } from "../fixtures/http-agents.ts";
import { type TestTenant, deliver, newWorld } from "../fixtures/world.ts";

const TOOL = {
  kind: "http",
  name: "note",
  description: "Notes it.",
  method: "POST",
  url: `${FAR_SIDE}/note`,
  idempotent: true,
} as const;
const SPEC = { instructions: "You are exact.", tools: [TOOL], retry: { attempts: 1 } };

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "exact", SPEC);
});

const at = (id: string, verb: string) => `/v1/invocations/${id}/${verb}`;
const replayed = (id: string, json: object = {}) =>
  acme.json<Replay>(at(id, "replay"), 200, { json });
async function forked(id: string, json: object = {}): Promise<Invocation> {
  const made = await acme.json<Invocation>(at(id, "fork"), 202, { json });
  return agent.ended(made.id);
}

/** All that was ever asked of the outside. */
async function sent(): Promise<number> {
  const [models, far] = [await seenBy(MODEL_SERVER, {}), await seenBy(FAR_SIDE, {})];
  return models.length + far.length;
}

/** Change the object's rows behind its back. */
async function mutate(query: string, ...bindings: readonly string[]): Promise<void> {
  await runInDurableObject(agent.stub(), (_object: AgentRuntime, state) => {
    expect(state.storage.sql.exec(query, ...bindings).rowsWritten).toBeGreaterThan(0);
  });
}

describe("K3: an invocation is replayed without the world", () => {
  it("F112, K3: gives equal bytes over every step, and sends nothing", async () => {
    const first = await agent.ask("[[tool-steps-3]]");
    const later = await agent.ask("[[tool-call]] again", {
      body: { session_id: first.session_id },
    });
    const before = await sent();
    for (const one of [first, later]) {
      const replay = await replayed(one.id);
      expect(replay).toMatchObject({ verdict: "equal", error: null, divergence: null });
      expect(JSON.stringify(replay.output)).toBe(JSON.stringify(one.output));
      expect(replay.replayed_hash).toBe(replay.recorded_hash);
      expect(replay.steps.map(({ key }) => key)).toEqual(
        (await agent.steps(one.id)).map(({ key }) => key),
      );
    }
    expect(await sent()).toBe(before);
  });

  it("K3: replays a run of ten model calls step by step", async () => {
    const ten = await liveAgent(acme, "ten", { ...SPEC, max_steps: 12 });
    const { id } = await ten.ask("[[tool-steps-9]]");
    const replay = await replayed(id);
    expect(replay.verdict).toBe("equal");
    expect(replay.steps.filter(({ kind }) => kind === "model")).toHaveLength(10);
  });

  it("K3: names the step behind a journal row that was changed, whichever it is", async () => {
    const { id } = await agent.ask("[[tool-steps-2]]");
    const swap = (table: string, from: string, to: string, key: string) =>
      mutate(
        `UPDATE ${table} WHERE invocation_id = ? AND key = ?`.replace(
          "WHERE",
          `SET output = replace(output, '${from}', '${to}') WHERE`,
        ),
        id,
        key,
      );
    await swap("step", "/note", "/nope", "tool.0#0");
    expect(await replayed(id)).toMatchObject({
      verdict: "diverged",
      error: { code: "journal_mismatch" },
      divergence: { step: "model.1#0", suspect: "tool.0#0" },
    });
    await swap("step", "/nope", "/note", "tool.0#0");
    await swap("step", "done after 2", "done after 9", "model.2#0");
    expect(await replayed(id)).toMatchObject({ divergence: { step: "model.2#0" } });
    await swap("step", "done after 9", "done after 2", "model.2#0");
    await mutate(
      "UPDATE step SET output = '=nonsense' WHERE invocation_id = ? AND key = 'tool.1#0'",
      id,
    );
    expect(await replayed(id)).toMatchObject({ divergence: { step: "tool.1#0" } });
  });

  it("K3: catches a changed request, a changed first answer, a lost row and a changed sum", async () => {
    const make = async () => (await agent.ask("[[tool-steps-1]]")).id;
    const first = await make();
    await mutate(
      "UPDATE invocation SET first = replace(first, 'input_hash\":\"', 'input_hash\":\"x') WHERE id = ?",
      first,
    );
    expect(await replayed(first)).toMatchObject({ divergence: { step: "model.0#0" } });
    const words = await make();
    await mutate(
      "UPDATE invocation SET first_output = replace(first_output, 'note', 'nope') WHERE id = ?",
      words,
    );
    expect((await replayed(words)).verdict).toBe("diverged");
    const lost = await make();
    await mutate("DELETE FROM step WHERE invocation_id = ? AND key = 'tool.0#0'", lost);
    expect(await replayed(lost)).toMatchObject({ divergence: { step: "tool.0#0" } });
    const cheap = await make();
    await mutate(
      "UPDATE step SET cost_micros = 0 WHERE invocation_id = ? AND key = 'model.1#0'",
      cheap,
    );
    expect(await replayed(cheap)).toMatchObject({
      verdict: "diverged",
      divergence: { step: null },
    });
  });

  it("K3: tries another version over the journal, and names where that parts from it", async () => {
    const changing = await liveAgent(acme, "changing", SPEC);
    const { id } = await changing.ask("[[tool-steps-1]]");
    await redeploy(acme, changing, { ...SPEC, instructions: "You are vague." });
    expect(await replayed(id)).toMatchObject({ verdict: "equal", version: 1 });
    expect(await replayed(id, { version: 2 })).toMatchObject({
      verdict: "diverged",
      version: 2,
      divergence: { step: "model.0#0" },
    });
    await redeploy(acme, changing, { ...SPEC, max_steps: 1 });
    expect(await replayed(id, { version: 3 })).toMatchObject({ verdict: "diverged", version: 3 });
    await addProvider(acme, "other");
    await redeploy(acme, changing, { ...SPEC, model: "other/gpt-4o" });
    expect(await replayed(id, { version: 4 })).toMatchObject({
      divergence: { step: "model.0#0", detail: "model.0#0 asks another model" },
    });
    expect((await acme.ask(at(id, "replay"), { json: { version: 99 } })).status).toBe(422);
  });

  it("K3: replays what failed to the step it failed at", async () => {
    const { id, status } = await agent.ask("[[tool-steps-4-2]]");
    expect(status).toBe("dead");
    const replay = await replayed(id);
    expect(replay).toMatchObject({ verdict: "equal", output: null, recorded_hash: null });
    expect(replay.steps).toHaveLength(4);
    const endless = await agent.ask("[[tool-loop]]");
    expect(endless.error?.code).toBe("step_limit");
    expect(await replayed(endless.id)).toMatchObject({ verdict: "equal" });
  });

  it("does not replay, fork or resume what is still open", async () => {
    const held = await agent.start("[[hold]]");
    for (const verb of ["replay", "fork", "resume"]) {
      expect((await acme.ask(at(held.id, verb), { json: {} })).status).toBe(409);
    }
    await agent.cancel(held.id);
    expect(await replayed(held.id)).toMatchObject({ verdict: "equal", output: null });
  });
});

describe("K3: an http agent's run is held against its journal", () => {
  it("K3: its request by its hash, its answer by its own; a dead one is resumed under its key", async () => {
    const far = await httpAgent(acme, "far", { upstream: { idempotent: true } });
    const { id } = await far.ask("hello");
    const before = (await far.took("say")).length;
    expect(await replayed(id)).toMatchObject({
      verdict: "equal",
      steps: [{ key: "upstream.0#0" }],
      output: { text: 'you said "hello"' },
    });
    const swap = (from: string, to: string, column: string) =>
      runInDurableObject(far.stub(), (_object: AgentRuntime, state) => {
        const set = `UPDATE invocation SET ${column} = replace(${column}, ?, ?) WHERE id = ?`;
        expect(state.storage.sql.exec(set, from, to, id).rowsWritten).toBe(1);
      });
    await swap("you said", "you sang", "output");
    expect(await replayed(id)).toMatchObject({
      divergence: { step: "upstream.0#0" },
      output: null,
    });
    await swap("you sang", "you said", "output");
    await swap("hello", "hullo", "input");
    expect(await replayed(id)).toMatchObject({ divergence: { step: "upstream.0#0" } });
    expect(await far.took("say")).toHaveLength(before);
    await far.set("500");
    const dead = await far.ask("again");
    await far.set("up");
    const made = await acme.json<Invocation>(at(dead.id, "resume"), 202, { method: "POST" });
    expect(await far.ended(made.id)).toMatchObject({ status: "succeeded", redriven_from: dead.id });
    expect((await far.took("say")).at(-1)?.key).toBe(`${dead.id}/upstream.0#0`);
  });

  it("K3: a proxied request is replayed, forked as it was sent, and compared", async () => {
    const far = await httpAgent(acme, "far-proxied", { upstream: { idempotent: true } });
    const asked = { method: "POST", raw: "words", headers: { "content-type": "text/plain" } };
    await (await far.proxy("/say/twice?n=1", asked)).text();
    const [first] = await far.rows<{ id: string }>("SELECT id FROM invocation");
    const id = first?.id ?? "";
    await far.events(id);
    expect(await replayed(id)).toMatchObject({ verdict: "equal" });
    expect((await acme.ask(at(id, "fork"), { json: { step: 0 } })).status).toBe(422);
    const made = await acme.json<Invocation>(at(id, "fork"), 202, { json: {} });
    expect(await far.ended(made.id)).toMatchObject({ status: "succeeded", forked_from: id });
    expect((await far.took("say")).map(({ body }) => body)).toEqual(["words", "words"]);
    const diff = await acme.json<Diff>(`${at(id, "diff")}?to=${made.id}`, 200);
    expect(diff.input.same).toBe(true);
  });
});

describe("K3: an invocation is forked from a step", () => {
  it("takes the steps before over, pays nothing for them, and makes the rest anew", async () => {
    const first = await agent.ask("[[tool-steps-3]]");
    const fork = await forked(first.id, { step: "model.3#0", model: "openai/echo" });
    expect(fork).toMatchObject({
      status: "succeeded",
      forked_from: first.id,
      redriven_from: null,
      usage: { model_calls: 1, tool_calls: 0 },
    });
    expect(fork.session_id).not.toBe(first.session_id);
    expect((await agent.get(first.id)).output).toEqual(first.output);
    const steps = await agent.steps(fork.id);
    expect(steps.map(({ attempt }) => attempt)).toEqual([0, 0, 0, 0, 0, 0, 1]);
    expect(steps.slice(0, 6).every(({ cost_micros: cost }) => cost === 0)).toBe(true);
    const [request] = await asked(fork.id, 3);
    expect(request).toMatchObject({ model: "echo" });
    expect(await replayed(fork.id)).toMatchObject({ verdict: "equal" });
  });

  it("takes other instructions, another input, another tool result or version", async () => {
    const first = await agent.ask("[[tool-steps-1]] Hello");
    const told = await forked(first.id, {
      tool_results: [{ step: "tool.0#0", content: "it rained" }],
      model: "openai/tool-call",
    });
    expect(told.output?.text).toBe("done after 1");
    expect((await asked(told.id, 1))[0]?.messages.at(-1)?.content).toBe("it rained");
    const vague = await forked(first.id, { step: 2, instructions: "You are vague." });
    expect((await asked(vague.id, 1))[0]?.messages[0]?.content).toBe("You are vague.");
    const other = await forked(first.id, { input: "Good bye" });
    expect(other).toMatchObject({ input: "Good bye", output: { text: "echo: Good bye" } });
    const both = await forked(first.id, { step: "model.1#0", input: "[[echo]] changed late" });
    expect(both.output?.text).toBe("echo: [[echo]] changed late");
    for (const fork of [told, vague, other, both]) {
      expect(await replayed(fork.id)).toMatchObject({ verdict: "equal" });
    }
    const again = await forked(vague.id, { step: 0 });
    expect((await asked(again.id))[0]?.messages[0]?.content).toBe("You are vague.");
  });

  it("K14: begins at the call, not at what was recalled for it", async () => {
    const recalling = await liveAgent(acme, "recalling", { ...SPEC, memory: {} });
    const text = "Notes are kept in the harbour office.";
    await acme.json("/v1/memories", 201, { json: { agent: "recalling", text } });
    const first = await recalling.ask("[[echo]] Where are notes kept?");
    expect((await recalling.steps(first.id))[0]).toMatchObject({ kind: "memory", state: "done" });
    for (const json of [{}, { step: 0 }, { step: "memory.0#0" }, { input: "[[echo]] Else?" }]) {
      const made = await acme.json<Invocation>(at(first.id, "fork"), 202, { json });
      const fork = await recalling.ended(made.id);
      expect(fork.status).toBe("succeeded");
      expect(await replayed(fork.id)).toMatchObject({ verdict: "equal" });
    }
  });

  it("is refused for what is not there, and made once for one key", async () => {
    const { id } = await agent.ask("[[tool-steps-1]]");
    const refused = async (json: object) => (await acme.ask(at(id, "fork"), { json })).status;
    expect(await refused({ step: "model.9#0" })).toBe(422);
    expect(await refused({ step: 99 })).toBe(422);
    expect(await refused({ version: 99 })).toBe(422);
    expect(await refused({ model: "nobody/none" })).toBe(422);
    expect(await refused({ tool_results: [{ step: "tool.7#0", content: "" }] })).toBe(422);
    const headers = { "idempotency-key": "one-fork" };
    const twice = await Promise.all(
      [0, 1].map(() => acme.json<Invocation>(at(id, "fork"), 202, { json: {}, headers })),
    );
    expect(new Set(twice.map((fork) => fork.id)).size).toBe(1);
  });

  it("K3: compares a run with its fork", async () => {
    const { id } = await agent.ask("[[tool-steps-2]]");
    const fork = await forked(id, { step: "model.2#0", model: "openai/length" });
    const diff = await acme.json<Diff>(`${at(id, "diff")}?to=${fork.id}`, 200);
    expect(diff).toMatchObject({ same: false, first_difference: "model.2#0" });
    expect(diff.steps.map(({ change }) => change)).toEqual([
      "same",
      "same",
      "same",
      "same",
      "changed",
    ]);
    expect(diff.cost_micros_change).toBeLessThan(0);
    const self = await acme.json<Diff>(`${at(id, "diff")}?to=${id}`, 200);
    expect(self).toMatchObject({ same: true, first_difference: null });
  });
});

describe("K4: a run is resumed where it broke", () => {
  const rekey = async (key: string) => {
    const { data } = await acme.json<{ data: { id: string; revision: number }[] }>(
      "/v1/providers",
      200,
    );
    const { id = "", revision = 0 } = data[0] ?? {};
    const headers = { "if-match": `"${revision}"` };
    await acme.json(`/v1/providers/${id}`, 200, {
      method: "PATCH",
      json: { api_key: key },
      headers,
    });
  };

  it("K4: five steps that fail at the fourth make two calls when resumed, and pay for two", async () => {
    const broken = await agent.ask("[[tool-steps-4-3]] five");
    expect(broken).toMatchObject({ status: "dead", usage: { model_calls: 4, tool_calls: 3 } });
    await rekey("sk-mended");
    try {
      const before = (await seenBy(MODEL_SERVER, {})).length;
      const effects = (await seenBy(FAR_SIDE, { label: "note" })).length;
      const { id } = await acme.json<Invocation>(at(broken.id, "resume"), 202, { method: "POST" });
      const resumed = await agent.ended(id);
      expect(resumed).toMatchObject({
        status: "succeeded",
        output: { text: "done after 4" },
        redriven_from: broken.id,
        session_id: broken.session_id,
        usage: { model_calls: 2, tool_calls: 1 },
      });
      expect((await seenBy(MODEL_SERVER, {})).length - before).toBe(2);
      const far = await seenBy(FAR_SIDE, { label: "note" });
      expect(far.length - effects).toBe(1);
      // Under the first run's key: a far side that knows it does not do it twice.
      expect(far.at(-1)?.key).toBe(`${broken.id}/tool.3#0`);
      expect(await replayed(id)).toMatchObject({ verdict: "equal" });
      expect(await agent.get(broken.id)).toEqual(broken);
    } finally {
      await rekey("sk-test-0123");
    }
  });

  it("K4: is refused when the live version asks otherwise, and says what to do instead", async () => {
    const moved = await liveAgent(acme, "moved", SPEC);
    const broken = await moved.ask("[[tool-steps-2-1]]");
    expect(broken.status).toBe("dead");
    await redeploy(acme, moved, { ...SPEC, instructions: "Anew." });
    const refused = await acme.ask(at(broken.id, "resume"), { json: {} });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: "journal_mismatch",
      detail: expect.stringMatching(/model\.0#0.*version 2/),
    });
    await rekey("sk-mended");
    try {
      const pinned = await acme.json<Invocation>(at(broken.id, "resume"), 202, {
        json: { version: 1 },
      });
      expect(await moved.ended(pinned.id)).toMatchObject({
        status: "succeeded",
        version: 1,
        usage: { model_calls: 2 },
      });
      const fresh = await acme.json<Invocation>(at(broken.id, "resume"), 202, {
        json: { fresh: true },
      });
      expect(await moved.ended(fresh.id)).toMatchObject({
        status: "succeeded",
        version: 2,
        usage: { model_calls: 3 },
      });
    } finally {
      await rekey("sk-test-0123");
    }
    expect((await acme.ask(at((await moved.ask("Hi")).id, "resume"), { json: {} })).status).toBe(
      409,
    );
  });

  it("K2, K4: a call whose outcome is unknown is not made again: people are asked, or say it at once", async () => {
    const pay = { ...TOOL, name: "pay", url: `${FAR_SIDE}/cut`, idempotent: false };
    const careful = await liveAgent(acme, "careful", { ...SPEC, tools: [pay] });
    const first = await careful.start("[[tool-steps-1]] pay");
    while ((await careful.get(first.id)).status !== "waiting");
    await careful.cancel(first.id);
    const calls = async () => (await seenBy(FAR_SIDE, { label: "cut" })).length;
    expect(await calls()).toBe(1);
    const asking = await acme.json<Invocation>(at(first.id, "resume"), 202, { method: "POST" });
    let { status } = await careful.get(asking.id);
    while (status === "running" || status === "accepted")
      ({ status } = await careful.get(asking.id));
    expect(status).toBe("waiting");
    await careful.cancel(asking.id);
    const json = { tool_results: [{ step: "tool.0#0", content: "it was paid" }] };
    const told = await acme.json<Invocation>(at(first.id, "resume"), 202, { json });
    expect(await careful.ended(told.id)).toMatchObject({
      status: "succeeded",
      output: { text: "done after 1" },
    });
    expect((await asked(told.id, 1))[0]?.messages.at(-1)?.content).toBe("it was paid");
    expect(await calls()).toBe(1);
  });

  it("K4: a crash of the resumed run loses nothing of what it took over", async () => {
    const broken = await agent.ask("[[tool-steps-2-1]] crash");
    await rekey("sk-mended");
    try {
      await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
        object.faults.arm("before-settle");
      });
      const { id } = await acme.json<Invocation>(at(broken.id, "resume"), 202, { method: "POST" });
      const resumed = await agent.ended(id).catch(() => agent.ended(id));
      expect(resumed).toMatchObject({ status: "succeeded", output: { text: "done after 2" } });
      expect((await agent.steps(id))[0]).toMatchObject({ key: "model.0#0", attempt: 0 });
    } finally {
      await rekey("sk-test-0123");
    }
  });
});

describe("the receipt", () => {
  it("K13: says who, under what and for how much, and sums to the ledger", async () => {
    const { id, cost_micros: cost } = await agent.ask("[[tool-steps-2]]");
    await deliver("berth-ledger", [agent.owner]);
    const receipt = await acme.json<Receipt>(at(id, "receipt"), 200);
    expect(receipt).toMatchObject({
      invocation_id: id,
      agent_id: agent.id,
      version: 1,
      principal: acme.keyId,
      cost_micros: cost,
      ledgered: true,
      models: [{ model: "openai/gpt-4o", calls: 3 }],
      tools: [{ tool: "note", calls: 2 }],
      approvals: [],
      lineage: [],
      descent: [],
    });
    expect(cost).toBeGreaterThan(0);
    expect(receipt.effects.reduce((sum, one) => sum + one.cost_micros, 0)).toBe(cost);
    const { data } = await acme.json<{ data: { invocation_id: string; cost_micros: number }[] }>(
      "/v1/usage?limit=100",
      200,
    );
    const owed = data.filter((one) => one.invocation_id === id);
    expect(owed.reduce((sum, one) => sum + one.cost_micros, 0)).toBe(cost);
    const version = await acme.json<{ id: string; spec_hash: string }>(
      `/v1/agents/${agent.id}/versions/1`,
      200,
    );
    expect(receipt).toMatchObject({ version_id: version.id, spec_hash: version.spec_hash });
  });

  it("K13: changes when the journal does, and tells where a fork came from", async () => {
    const { id } = await agent.ask("[[tool-steps-1]]");
    const before = await acme.json<Receipt>(at(id, "receipt"), 200);
    const fork = await forked(id, { step: "model.1#0", model: "openai/echo" });
    const receipt = await acme.json<Receipt>(at(fork.id, "receipt"), 200);
    expect(receipt).toMatchObject({
      forked_from: id,
      descent: [id],
      changes: { model: "openai/echo", instructions_hash: null },
      models: [{ model: "openai/echo", calls: 1 }],
    });
    await mutate(
      "UPDATE step SET output = output || ' ' WHERE invocation_id = ? AND key = 'tool.0#0'",
      id,
    );
    const after = await acme.json<Receipt>(at(id, "receipt"), 200);
    expect(after.journal_hash).not.toBe(before.journal_hash);
  });
});
