/** Runs that sleep, and runs that wait for somebody outside (F67). */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Callback } from "../../core/callbacks/contract.ts";
import { type TestAgent, addProvider, liveAgent } from "../fixtures/agent-runs.ts";
import { type TestTenant, newWorld, request } from "../fixtures/world.ts";

const DAY_MS = 86_400_000;

let acme: TestTenant;
let globex: TestTenant;
let agent: TestAgent;

beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "patient", {
    tools: [
      { kind: "sleep", max_s: 40 * 86_400 },
      { kind: "callback", name: "signature", description: "Waits for a signature." },
      {
        kind: "callback",
        name: "strict",
        description: "Waits.",
        timeout_s: 60,
        on_timeout: "fail",
      },
      { kind: "callback", name: "mild", description: "Waits.", timeout_s: 60 },
    ],
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => vi.useFakeTimers({ now: Date.now() + ms, toFake: ["Date"] });

async function waiting(input: string): Promise<string> {
  const response = await agent.send(`[[tool-call]] ${input}`);
  const { id, status } = await response.json<{ id: string; status: string }>();
  expect([response.status, status]).toEqual([202, "waiting"]);
  return id;
}

async function callbackOf(invocationId: string): Promise<Callback> {
  const [row] = await agent.rows<{ id: string }>(
    "SELECT id FROM callback WHERE invocation_id = ?",
    invocationId,
  );
  return acme.json<Callback>(`/v1/callbacks/${row?.id}`, 200);
}

async function addressOf({ id }: Callback): Promise<string> {
  const { url } = await acme.json<{ url: string }>(`/v1/callbacks/${id}/address`, 200);
  return new URL(url).pathname;
}

async function status(response: Promise<Response>): Promise<number> {
  const answer = await response;
  await answer.text();
  return answer.status;
}

describe("F67: a sleep", () => {
  it("ends at its time, whatever became of the object meanwhile, and not before", async () => {
    const id = await waiting('sleep {"seconds":1814400}');
    await evictDurableObject(agent.stub());
    later(20 * DAY_MS);
    await runDurableObjectAlarm(agent.stub());
    expect((await agent.get(id)).status).toBe("waiting");
    later(2 * DAY_MS);
    await runDurableObjectAlarm(agent.stub());
    const done = await agent.ended(id);
    expect([done.status, done.usage.model_calls]).toEqual(["succeeded", 2]);
    expect(done.output?.text).toContain("slept_until");
  });

  it("until a time that is past is over at once; one that is too long is an error to read", async () => {
    const past = await agent.ask('[[tool-call]] sleep {"until":"2020-01-01T00:00:00Z"}');
    expect(past.output?.text).toContain("2020-01-01T00:00:00.000Z");
    const far = await agent.ask('[[tool-call]] sleep {"until":"2199-01-01T00:00:00Z"}');
    expect(far.output?.text).toContain("longer than 3456000 seconds");
    const both = await agent.ask(
      '[[tool-call]] sleep {"seconds":1,"until":"2020-01-01T00:00:00Z"}',
    );
    expect(both.output?.text).toContain("either seconds or until");
    const odd = await agent.ask('[[tool-call]] sleep {"until":"tomorrow"}');
    expect(odd.output?.text).toContain("RFC 3339");
  });

  it("can be cancelled", async () => {
    const id = await waiting('sleep {"seconds":1000}');
    await (await agent.cancel(id)).text();
    expect((await agent.get(id)).status).toBe("cancelled");
  });
});

describe("F67: a callback", () => {
  it("is answered once at its signed address, without a credential; the model reads the answer", async () => {
    const id = await waiting("signature {}");
    const callback = await callbackOf(id);
    const path = await addressOf(callback);
    const answer = (said: unknown) =>
      request(acme.origin, path, { json: { answer: said }, as: null });
    expect(await (await answer({ signed: true })).json()).toMatchObject({ status: "answered" });
    const done = await agent.ended(id);
    expect(done.output?.text).toContain('the tool said: {"signed":true}');
    expect(await status(answer({ signed: true }))).toBe(200);
    expect(await status(answer({ signed: false }))).toBe(409);
  });

  it("by its scope, too", async () => {
    const id = await waiting("signature {}");
    const { id: callback } = await callbackOf(id);
    expect(
      await status(acme.ask(`/v1/callbacks/${callback}/answer`, { json: { answer: "yes" } })),
    ).toBe(200);
    expect((await agent.ended(id)).output?.text).toContain('the tool said: "yes"');
  });

  it("of ten different answers at once, one counts", async () => {
    const id = await waiting("signature {}");
    const path = await addressOf(await callbackOf(id));
    const codes = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        status(request(acme.origin, path, { json: { answer: i }, as: null })),
      ),
    );
    expect(codes.filter((code) => code === 200)).toHaveLength(1);
    expect(codes.filter((code) => code === 409)).toHaveLength(9);
  });

  it("tells nothing to who cannot prove the address, or asks another tenant", async () => {
    const callback = await callbackOf(await waiting("signature {}"));
    const path = await addressOf(callback);
    const forged = `${path.slice(0, -4)}AAAA`;
    const missing = path.replace(callback.id, `${callback.id.slice(0, -4)}0000`);
    const bodies = await Promise.all(
      [
        request(acme.origin, forged, { json: { answer: 1 }, as: null }),
        request(acme.origin, missing, { json: { answer: 1 }, as: null }),
        request(globex.origin, path, { json: { answer: 1 }, as: null }),
      ].map(async (response) => {
        const answer = await response;
        const { detail, code } = await answer.json<{ detail: string; code: string }>();
        return [answer.status, code, detail];
      }),
    );
    for (const body of bodies) expect(body).toEqual([404, "not_found", "no such callback"]);
  });

  it("nobody answers: the model reads that, or the run fails, as the tool says", async () => {
    const mild = await waiting("mild {}");
    const strict = await waiting("strict {}");
    const path = await addressOf(await callbackOf(mild));
    later(61_000);
    expect(await status(request(acme.origin, path, { json: { answer: 1 }, as: null }))).toBe(409);
    await runDurableObjectAlarm(agent.stub());
    expect((await agent.ended(mild)).output?.text).toContain("nobody answered");
    expect((await agent.ended(strict)).error?.code).toBe("timeout");
  });

  it("of a run that has ended is refused", async () => {
    const id = await waiting("signature {}");
    const path = await addressOf(await callbackOf(id));
    await (await agent.cancel(id)).text();
    expect(await status(request(acme.origin, path, { json: { answer: 1 }, as: null }))).toBe(409);
  });
});
