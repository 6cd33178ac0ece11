/** The chat socket end to end: G15, and S1–S3 of durable-objects/agent-runtime/sockets.ts. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { ServerFrame } from "../../core/sessions/frames.ts";
import type { AgentRuntime } from "../../durable-objects/agent-runtime/object.ts";
import {
  type TestAgent,
  addProvider,
  liveAgent,
  namesOf,
  redeploy,
} from "../fixtures/agent-runs.ts";
import {
  type Chat,
  type EventFrame,
  attachments,
  isEnd,
  knock,
  openChat,
} from "../fixtures/chat-client.ts";
import { type TestTenant, newKey, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  ({ acme } = await newWorld());
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

const open = (query: Record<string, string> = {}) => openChat(acme, agent.slug, { query });

/** The session's whole log, as a socket that begins at 0 is told it. */
async function logOf(session: string, ends: number): Promise<readonly EventFrame[]> {
  const chat = await open({ session, after: "0" });
  await chat.until(() => chat.events().filter(isEnd).length >= ends);
  chat.close();
  return chat.events();
}

const textOf = (events: readonly EventFrame[]) =>
  events
    .filter(({ event }) => event === "message.delta")
    .map(({ data }) => String(data["text"]))
    .join("");

describe("a turn", () => {
  it("F111: is accepted, spoken piece by piece and ended, in the session's order", async () => {
    const chat = await open();
    expect(chat.frames[0]).toEqual({ type: "ready", session_id: chat.session, seq: 0 });
    const id = await chat.turn("[[stream-5-20]] Hello");
    const [, accepted, ...events] = chat.frames;
    expect(accepted).toEqual({
      type: "accepted",
      id: "turn-1",
      invocation_id: id,
      replayed: false,
    });
    expect(events).toEqual(chat.events());
    expect(chat.events().map(({ seq }) => seq)).toEqual(chat.events().map((_, index) => index + 1));
    expect([...new Set(namesOf(chat.events()))]).toEqual([
      "invocation.accepted",
      "run.started",
      "step.started",
      "message.delta",
      "step.finished",
      "message.completed",
      "invocation.succeeded",
    ]);
    expect(textOf(chat.events())).toBe("word0 word1 word2 word3 word4");
    expect(chat.events().at(-1)?.data["invocation"]).toEqual(await agent.get(id));
    // And the next turn goes on behind it.
    const second = await chat.turn("Again");
    expect(chat.events().find((it) => it.invocation_id === second)?.seq).toBe(1_000_001);
    chat.close();
  });

  it("F111: made over a ticket is the ticket's holder's", async () => {
    const ticket = await acme.json<{ ticket: string }>("/v1/tickets", 201, {
      json: { agent: agent.slug },
    });
    const query = { ticket: ticket.ticket };
    const headers = { origin: acme.origin };
    const chat = await openChat(acme, agent.slug, { as: null, headers, query });
    expect((await agent.get(await chat.turn("Hi"))).output?.text).toBe("echo: Hi");
    // The same speaker's session, so its key may go on in it.
    const other = await open({ session: chat.session });
    expect(other.session).toBe(chat.session);
    chat.close();
    other.close();
  });

  it("S2: is seen alike by everybody who watches the session, also when made by a request", async () => {
    const one = await open({ session: "watched" });
    const two = await open({ session: "watched" });
    const id = await one.turn("From one");
    await two.ended(id);
    const { id: asked } = await agent.ask("By a request", { body: { session_id: one.session } });
    await Promise.all([one.ended(asked), two.ended(asked)]);
    expect(two.events()).toEqual(one.events());
    expect(two.frames.filter(({ type }) => type === "accepted")).toEqual([]);
    expect((await agent.get(asked)).session_id).toBe(one.session);
    one.close();
    two.close();
  });

  it("S1: is told to no other session and no other speaker", async () => {
    const mine = await open({ session: "private" });
    const elsewhere = await open();
    const stranger = await newKey(acme);
    const same = await openChat(acme, agent.slug, { as: stranger, query: { session: "private" } });
    expect(same.session).not.toBe(mine.session);
    const theirs = await knock(acme, agent.slug, {
      as: stranger,
      query: { session: mine.session },
    });
    expect(theirs.status).toBe(404);
    await theirs.text();
    await mine.turn("Secret");
    await Promise.all([elsewhere.turn("Else"), same.turn("Same")]);
    for (const chat of [elsewhere, same]) {
      expect(JSON.stringify(chat.frames)).not.toContain("Secret");
      chat.close();
    }
    mine.close();
  });

  it("G15: five messages at once are five turns in the order they were sent", async () => {
    const chat = await open();
    const texts = ["[[delay-40]] a", "b", "[[delay-20]] c", "d", "e"];
    texts.forEach((text, index) => chat.send({ type: "message", id: `m${index}`, text }));
    await chat.until(() => chat.events().filter(isEnd).length === texts.length);
    const accepted = chat.frames.filter((frame) => frame.type === "accepted");
    expect(accepted.map(({ id }) => id)).toEqual(["m0", "m1", "m2", "m3", "m4"]);
    const ids = accepted.map(({ invocation_id: id }) => id);
    expect([...new Set(chat.events().map((it) => it.invocation_id))]).toEqual(ids);
    const inputs = await Promise.all(ids.map(async (id) => (await agent.get(id)).input));
    expect(inputs).toEqual(texts);
    const seqs = chat.events().map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(seqs).toEqual([...new Set(seqs)]);
    // Each turn began when the one before had ended, and had it before its eyes.
    const last = await agent.rows<{ n: number }>(
      "SELECT count(*) AS n FROM invocation WHERE session_id = ? AND status = 'succeeded'",
      chat.session,
    );
    expect(last).toEqual([{ n: 5 }]);
    chat.close();
  });

  it("G4: sent again under its id is the same turn, on a new socket too", async () => {
    const chat = await open();
    const id = await chat.turn("Once", "same");
    chat.send({ type: "message", id: "same", text: "Once" });
    const again = { type: "accepted", id: "same", invocation_id: id, replayed: true };
    expect(await chat.nth("accepted", 2)).toEqual(again);
    chat.close();
    const later = await open({ session: chat.session });
    later.send({ type: "message", id: "same", text: "Once" });
    expect(await later.nth("accepted")).toEqual(again);
    later.send({ type: "message", id: "same", text: "Twice" });
    const refused = await later.nth("refused");
    expect(refused).toMatchObject({
      id: "same",
      problem: { code: "idempotency_mismatch", status: 422, errors: [{ pointer: "/id" }] },
    });
    // Another session's ids are its own.
    const other = await open();
    expect(await other.turn("Once", "same")).not.toBe(id);
    expect(await turnsOf(chat.session)).toBe(1);
    later.close();
    other.close();
  });

  it("S3: runs what is live by then, on a socket opened before", async () => {
    const moving = await liveAgent(acme, "moving");
    const chat = await openChat(acme, moving.slug);
    expect((await moving.get(await chat.turn("One"))).version).toBe(1);
    await redeploy(acme, moving, { instructions: "Second." });
    expect((await moving.get(await chat.turn("Two"))).version).toBe(2);
    chat.close();
  });
});

async function turnsOf(session: string): Promise<number | undefined> {
  const [row] = await agent.rows<{ turns: number }>(
    "SELECT count(*) AS turns FROM invocation WHERE session_id = ?",
    session,
  );
  return row?.turns;
}

describe("resume", () => {
  it("G15: at every cut point gives the rest and nothing twice", async () => {
    const chat = await open();
    await chat.turn("[[stream-4-5]] first");
    await chat.turn("second");
    const whole = await logOf(chat.session, 2);
    expect(whole).toEqual(chat.events());
    const last = whole.at(-1)?.seq;
    const cuts = [0, ...whole.map(({ seq }) => seq)];
    for (const [n, seq] of cuts.entries()) {
      chat.send({ type: "resume", seq });
      const resumed = await chat.nth("resumed", n + 1);
      expect(resumed.seq).toBe(seq);
      if (seq !== last) await chat.until(() => since(chat, resumed).at(-1)?.seq === last);
    }
    chat.send({ type: "ping" });
    await chat.nth("pong");
    for (const [n] of cuts.entries()) {
      const resumed = await chat.nth("resumed", n + 1);
      expect(since(chat, resumed, await next(chat, n))).toEqual(whole.slice(n));
    }
    chat.close();
  }, 20_000);

  it("G15: a new socket begins behind any event, exactly", async () => {
    const chat = await open({ session: "reopened" });
    await chat.turn("first");
    await chat.turn("second");
    const whole = chat.events();
    for (const cut of [0, 3, whole.length / 2, whole.length - 1, whole.length]) {
      const after = String(cut === 0 ? 0 : whole[cut - 1]?.seq);
      const again = await open({ session: "reopened", after });
      expect(again.frames[0]).toMatchObject({ type: "ready", seq: Number(after) });
      if (cut < whole.length) await again.until(() => again.events().length === whole.length - cut);
      again.send({ type: "ping" });
      await again.nth("pong");
      expect(again.events()).toEqual(whole.slice(cut));
      again.close();
    }
    chat.close();
  }, 20_000);

  it("G15: in the middle of an answer goes on with it, from any earlier place", async () => {
    const chat = await open();
    chat.send({ type: "message", id: "slow", text: "[[stream-60-50]] slowly" });
    const { invocation_id: id } = await chat.nth("accepted");
    await chat.until(() => chat.events().length >= 6);
    const after = chat.events()[2]?.seq ?? 0;
    const [behind, fresh, resumed] = await Promise.all([
      open({ session: chat.session, after: String(after) }),
      open({ session: chat.session }),
      open({ session: chat.session }),
    ]);
    resumed.send({ type: "resume", seq: after });
    const marker = await resumed.nth("resumed");
    expect(chat.events().some(isEnd)).toBe(false);
    chat.send({ type: "resume", seq: after });
    const back = await chat.nth("resumed");
    await Promise.all([chat, behind, fresh, resumed].map((it) => it.ended(id)));
    const whole = await logOf(chat.session, 1);
    expect(behind.events()).toEqual(whole.slice(3));
    expect(fresh.events()).toEqual(whole);
    expect(since(resumed, marker)).toEqual(whole.slice(3));
    // What was under way to this very socket when it asked is told again, once, after `resumed`.
    expect(since(chat, back)).toEqual(whole.slice(3));
    for (const it of [chat, behind, fresh, resumed]) it.close();
  }, 20_000);

  it("G15: at a place the session never came to is refused, and nothing moves", async () => {
    const chat = await open();
    await chat.turn("Only");
    const last = chat.events().at(-1)?.seq ?? 0;
    const places = [last + 1, 999_999, 1_000_001, 2_000_000, Number.MAX_SAFE_INTEGER];
    for (const [index, seq] of places.entries()) {
      chat.send({ type: "resume", seq });
      const refused = await chat.nth("refused", index + 1);
      expect(refused.problem).toMatchObject({ code: "invalid", errors: [{ pointer: "/seq" }] });
      const query = { session: chat.session, after: String(seq) };
      const shut = await knock(acme, agent.slug, { query });
      expect([seq, shut.status]).toEqual([seq, 422]);
      expect(await shut.json()).toMatchObject({ errors: [{ pointer: "after" }] });
    }
    const told = chat.events().length;
    await chat.turn("Next");
    expect(chat.events()[told]?.seq).toBe(1_000_001);
    chat.close();
  });

  it("G15: after an eviction the sockets go on as if nothing had been", async () => {
    const chat = await open({ session: "sleeper" });
    const other = await open({ session: "sleeper" });
    await chat.turn("Before");
    await other.until((it) => it.type === "event" && isEnd(it));
    await evictDurableObject(agent.stub());
    await chat.turn("After");
    await other.until(() => other.events().filter(isEnd).length === 2);
    await evictDurableObject(agent.stub());
    const id = (await agent.ask("By request", { body: { session_id: chat.session } })).id;
    await Promise.all([chat.ended(id), other.ended(id)]);
    const whole = await logOf(chat.session, 3);
    expect(chat.events()).toEqual(whole);
    expect(other.events()).toEqual(whole);
    chat.close();
    other.close();
  });
});

/** Events that came after a frame, and before another. */
function since(chat: Chat, from: ServerFrame, to?: ServerFrame): readonly EventFrame[] {
  const end = to === undefined ? chat.frames.length : chat.frames.indexOf(to);
  return chat.frames
    .slice(chat.frames.indexOf(from) + 1, end)
    .filter((frame) => frame.type === "event");
}

/** The frame that ends what came after the `n`th `resumed` (0 = the first). */
async function next(chat: Chat, n: number): Promise<ServerFrame> {
  const more = chat.frames.filter(({ type }) => type === "resumed")[n + 1];
  return more ?? chat.nth("pong");
}

describe("an object that dies in the middle of an answer", () => {
  it("G15: is resumed on a new socket without gap or repetition, and says that it began anew", async () => {
    const chat = await open();
    await runInDurableObject(agent.stub(), (object: AgentRuntime) => {
      object.faults.arm("after-delta", 3);
    });
    chat.send({ type: "message", id: "mortal", text: "[[stream-20-60]] mortal" });
    const { invocation_id: id } = await chat.nth("accepted");
    await chat.closed;
    const before = chat.events();
    const after = String(before.at(-1)?.seq);
    const again = await open({ session: chat.session, after });
    await again.ended(id);
    const whole = await logOf(chat.session, 1);
    expect([...before, ...again.events()]).toEqual(whole);
    expect(whole.map(({ seq }) => seq)).toEqual(whole.map((_, index) => index + 1));
    const restarted = again.events().findIndex(({ event }) => event === "run.restarted");
    expect(restarted).toBeGreaterThanOrEqual(0);
    // What the reader shows is the words after the restart, and they are the answer.
    const told = textOf(again.events().slice(restarted));
    expect(told).toBe((await agent.get(id)).output?.text);
    // The message sent again, as a client does that saw no answer, is that very turn.
    again.send({ type: "message", id: "mortal", text: "[[stream-20-60]] mortal" });
    expect(await again.nth("accepted")).toMatchObject({ invocation_id: id, replayed: true });
    again.close();
  }, 20_000);

  it("G5, G15: tells the sockets that outlived it how it goes on, though nobody calls", async () => {
    const patient = await liveAgent(acme, "patient", { retry: { attempts: 2, base_ms: 1 } });
    const chat = await openChat(acme, patient.slug);
    // Answered with `Retry-After: 1`: that long the turn waits, and the object is not needed.
    chat.send({ type: "message", id: "m", text: "[[status-429]]" });
    const { invocation_id: id } = await chat.nth("accepted");
    await chat.until((it) => it.type === "event" && it.event === "invocation.waiting");
    await evictDurableObject(patient.stub());
    expect(chat.events().some(isEnd)).toBe(false);
    await chat.ended(id);
    expect(namesOf(chat.events())).toContain("run.restarted");
    const whole = await openChat(acme, patient.slug, {
      query: { session: chat.session, after: "0" },
    });
    await whole.ended(id);
    expect(chat.events()).toEqual(whole.events());
    whole.close();
    chat.close();
  }, 20_000);
});

describe("hibernation", () => {
  it("keeps nothing awake between turns, nor while a turn waits for its next attempt", async () => {
    const lazy = await liveAgent(acme, "lazy", { retry: { attempts: 2, base_ms: 1 } });
    const timers = watchTimers();
    try {
      const chat = await openChat(acme, lazy.slug);
      await chat.turn("Quiet now");
      await timers.none();
      chat.send({ type: "message", id: "m", text: "[[status-429]]" });
      await chat.until((it) => it.type === "event" && it.event === "invocation.waiting");
      await timers.none();
      expect(chat.events().filter(isEnd)).toHaveLength(1);
      // The alarm alone brings it back, and the socket is told.
      await chat.until(() => chat.events().filter(isEnd).length === 2);
      expect(namesOf(chat.events())).toContain("run.restarted");
      await timers.none();
      chat.close();
    } finally {
      timers.stop();
    }
  }, 20_000);

  it("S1: leaves all a socket knows in its attachment, of at most 2 KB for the longest names", async () => {
    const environment = `e${"x".repeat(31)}`;
    const { id } = agent;
    await acme
      .json("/v1/environments", 201, { json: { slug: environment } })
      .catch(() => undefined);
    const chat = await open({ session: "\u{1F600}".repeat(100) });
    const kept = (await attachments(agent)).find((it) => it["sessionId"] === chat.session);
    const grant = kept?.["grant"] as Record<string, unknown>; // as we wrote it
    const longest = {
      ...kept,
      grant: {
        ...grant,
        owner: { tenantId: acme.id, agentId: id, environment, replica: 255 },
        consoleSession: "h".repeat(43),
        endsAtMs: Number.MAX_SAFE_INTEGER,
      },
      place: { turn: 9_007_199_254, seq: 999_999 },
    };
    // One byte a character, and less around it than JSON has.
    expect(JSON.stringify(longest)).toMatch(/^[\x20-\x7e]{1,1024}$/);
    chat.close();
  });
});

/** Which timers of this isolate are set; the objects of the tests live in it. */
function watchTimers() {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const pending = new Set<unknown>();
  // The runtime's own signatures have overloads that no wrapper can repeat.
  globalThis.setTimeout = ((
    work: (...args: unknown[]) => void,
    ms?: number,
    ...args: unknown[]
  ) => {
    const timer: unknown = set(() => {
      pending.delete(timer);
      work(...args);
    }, ms);
    pending.add(timer);
    return timer;
  }) as typeof set;
  globalThis.clearTimeout = ((timer: Parameters<typeof clear>[0]) => {
    clear(timer);
    pending.delete(timer);
  }) as typeof clear;
  return {
    /** Resolves when none is set; looks again rather than be told from within another object. */
    none: async () => {
      while (pending.size > 0) await new Promise((resolve) => set(resolve, 1));
    },
    stop: () => {
      globalThis.setTimeout = set;
      globalThis.clearTimeout = clear;
    },
  };
}
