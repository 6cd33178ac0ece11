/** What a client may send on the chat socket, what it is told for anything else, and cancelling. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { FRAME_LIMIT_BYTES } from "../../core/sessions/frames.ts";
import { type TestAgent, addProvider, liveAgent, namesOf } from "../fixtures/agent-runs.ts";
import { type Chat, isEnd, openChat } from "../fixtures/chat-client.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let agent: TestAgent;
beforeAll(async () => {
  const world = await newWorld();
  ({ acme } = world);
  await addProvider(acme);
  agent = await liveAgent(acme, "support");
});

const open = (query: Record<string, string> = {}) => openChat(acme, agent.slug, { query });

/** All that is written for what a session says. */
async function written(): Promise<unknown> {
  const counts = ["invocation", "event", "step", "content"];
  const columns = counts.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(", ");
  return agent.rows(`SELECT ${columns}`);
}

const deep = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
const message = (text: string) => `{"type":"message","text":${text}}`;

describe("a frame that is refused", () => {
  const cases: readonly (readonly [name: string, frame: string, code: string, pointer: string])[] =
    [
      ["not JSON", "hello", "malformed_json", ""],
      ["nothing", "", "malformed_json", ""],
      ["half a frame", '{"type":"ping"', "malformed_json", ""],
      ["two frames", '{"type":"ping"}{"type":"ping"}', "malformed_json", ""],
      ["a byte order mark", '\uFEFF{"type":"ping"}', "malformed_json", ""],
      ["deeper than 64", message(deep(64)), "malformed_json", ""],
      ["very deep", deep(300_000), "malformed_json", ""],
      ["never closed", "[".repeat(300_000), "malformed_json", ""],
      ["half a pair", message('"\\ud800"'), "malformed_json", ""],
      ["the other half", message('"\\udc00x"'), "malformed_json", ""],
      ["a NUL", message('"a\\u0000b"'), "malformed_json", ""],
      ["a prototype key", '{"type":"ping","__proto__":{}}', "malformed_json", "/__proto__"],
      ["a number without end", '{"type":"resume","seq":1e999}', "malformed_json", "/seq"],
      ["null", "null", "invalid", ""],
      ["a list", '[{"type":"ping"}]', "invalid", ""],
      ["a text", '"ping"', "invalid", ""],
      ["no type", "{}", "invalid", "/type"],
      ["an unknown type", '{"type":"shout"}', "invalid", "/type"],
      ["the name of a member", '{"type":"constructor"}', "invalid", "/type"],
      ["an unknown field", '{"type":"ping","a/b~":1}', "invalid", "/a~1b~0"],
      ["no text", '{"type":"message"}', "invalid", "/text"],
      ["an empty text", message('""'), "invalid", "/text"],
      ["a text that is none", message("[1]"), "invalid", "/text"],
      ["63 levels in a text", message(deep(62)), "invalid", "/text"],
      ["an id that is none", '{"type":"message","text":"x","id":7}', "invalid", "/id"],
      ["an empty id", '{"type":"message","text":"x","id":""}', "invalid", "/id"],
      ["a negative place", '{"type":"resume","seq":-1}', "invalid", "/seq"],
      ["a broken place", '{"type":"resume","seq":0.5}', "invalid", "/seq"],
      ["an unsafe place", '{"type":"resume","seq":9007199254740993}', "invalid", "/seq"],
      ["a place that is text", '{"type":"resume","seq":"1"}', "invalid", "/seq"],
      ["a cancel of nothing", '{"type":"cancel"}', "invalid", "/invocation_id"],
      [
        "the owner's word",
        '{"type":"message","text":"x","principal":"p"}',
        "invalid",
        "/principal",
      ],
    ];

  it("G14: is told why and where, writes nothing, and the socket stays", async () => {
    const chat = await open();
    await chat.turn("Before");
    const before = await written();
    for (const [index, [name, frame, code, pointer]] of cases.entries()) {
      // Under the limit of frames a second, whatever the machine's speed.
      if (index % 20 === 19) nextSecond();
      chat.raw(frame);
      const { problem } = await chat.nth("refused", index + 1);
      expect([name, problem.code]).toEqual([name, code]);
      expect([name, problem.errors?.[0]?.pointer]).toEqual([name, pointer]);
      expect(problem).toMatchObject({
        type: `https://berth.dev/problems/${code}`,
        status: code === "invalid" ? 422 : 400,
        instance: expect.stringMatching(/^urn:request:req_/) as unknown,
      });
      expect(JSON.stringify(problem).length).toBeLessThan(2000);
    }
    expect(await written()).toEqual(before);
    nextSecond();
    await chat.turn("After");
    chat.close();
  }, 20_000);

  it("G14: is named by its id, when it has one that can be", async () => {
    const chat = await open();
    chat.raw('{"type":"message","id":"mine","text":""}');
    chat.raw(`{"type":"message","id":"${"x".repeat(201)}","text":"x"}`);
    expect((await chat.nth("refused", 1)).id).toBe("mine");
    expect((await chat.nth("refused", 2)).id).toBe(null);
    chat.close();
  });

  it("a text holds whatever JSON can say", async () => {
    const chat = await open();
    const text = 'Grüße \u{1F600} \u2028 \\ " <script> \u0001 \uFFFD';
    const id = await chat.turn(text, 'an id with \u{1F600} and "quotes"');
    expect((await agent.get(id)).input).toBe(text);
    chat.close();
  });
});

/** The limit counts frames of a second of the clock: the next one begins, and lasts until told. */
function nextSecond(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1000 });
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a socket that is closed for what it sent", () => {
  it("G14: bytes are no frames (1003), and nothing that follows them counts", async () => {
    const chat = await open();
    const before = await written();
    chat.raw(new ArrayBuffer(8));
    chat.raw('{"type":"message","text":"behind it"}');
    expect(await chat.closed).toMatchObject({ code: 1003 });
    expect(await written()).toEqual(before);
  });

  it("G14: a frame of 1 MiB is read, one byte more closes (1009)", async () => {
    const chat = await open();
    const before = await written();
    chat.raw(`{"type":"ping"}${" ".repeat(FRAME_LIMIT_BYTES - 15)}`);
    await chat.nth("pong");
    chat.raw(`{"type":"message","text":"${"x".repeat(FRAME_LIMIT_BYTES - 27)}"}`);
    expect(await chat.closed).toMatchObject({ code: 1009 });
    const other = await open();
    // Counted in bytes: 400,000 characters of three each.
    other.raw(message(`"${"€".repeat(400_000)}"`));
    expect(await other.closed).toMatchObject({ code: 1009 });
    expect(await written()).toEqual(before);
  });

  it("G14: more than 50 frames in a second close (4429), and what came after is not heard", async () => {
    const chat = await open();
    const other = await open();
    const before = await written();
    nextSecond();
    for (let n = 0; n < 51; n += 1) chat.send({ type: "ping" });
    chat.send({ type: "message", text: "too late" });
    expect(await chat.closed).toMatchObject({ code: 4429 });
    expect(await written()).toEqual(before);
    // Others are not concerned.
    await other.turn("Still here");
    other.close();
  });
});

describe("a socket that its client closes", () => {
  it.each([1000, 1001, 3000, 4999])(
    "is closed in turn, with %d, and cancels nothing",
    async (code) => {
      const chat = await open();
      chat.send({ type: "message", text: "[[delay-20]] Bye" });
      const { invocation_id: id } = await chat.nth("accepted");
      chat.close(code);
      expect(await chat.closed).toMatchObject({ code });
      expect((await agent.ended(id)).status).toBe("succeeded");
    },
  );
});

describe("the address", () => {
  it("G14: takes what it says and nothing else", async () => {
    const refused: readonly (readonly [query: string, status: number])[] = [
      ["session=", 422],
      [`session=${"x".repeat(201)}`, 422],
      ["session=a&session=b", 422],
      ["session=a%00b", 422],
      ["environment=Prod", 422],
      ["after=-1", 422],
      ["after=1.5", 422],
      ["after=99999999999999999999", 422],
      ["after=9999999999999999", 422],
      ["after=5", 422],
      ["ticket=", 422],
      ["tenant=globex", 422],
      ["environment=nowhere", 503],
      ["session=ses_00000000000000000000000000", 404],
    ];
    const sessions = () => agent.rows("SELECT count(*) AS n FROM session");
    const before = await sessions();
    for (const [query, status] of refused) {
      const shut = await acme.ask(`/a/${agent.slug}/chat?${query}`, {
        headers: { upgrade: "websocket" },
      });
      expect([query, shut.status]).toEqual([query, status]);
      expect(shut.headers.get("content-type")).toContain("application/problem+json");
      expect(await shut.json()).toMatchObject({ status, code: expect.any(String) as unknown });
    }
    expect(await sessions()).toEqual(before);
    const plain = await acme.ask(`/a/${agent.slug}/chat`);
    expect(plain.status).toBe(400);
    expect(await plain.json()).toMatchObject({ errors: [{ pointer: "upgrade" }] });
    const posted = await acme.ask(`/a/${agent.slug}/chat`, { method: "POST" });
    expect(posted.status).toBe(405);
    await posted.text();
  });

  it("takes any name for a session, and leads to the same one again", async () => {
    const names = ["日本語", "a b/c?d&e=f%", "\u{1F600}".repeat(100), "ses_mine", "../x"];
    const first = await Promise.all(names.map((session) => open({ session })));
    const again = await Promise.all(names.map((session) => open({ session })));
    expect(again.map(({ session }) => session)).toEqual(first.map(({ session }) => session));
    expect(new Set(again.map(({ session }) => session)).size).toBe(names.length);
    for (const chat of [...first, ...again]) chat.close();
  });
});

describe("cancel", () => {
  async function held(chat: Chat): Promise<string> {
    chat.send({ type: "message", text: "[[hang]]" });
    const n = chat.frames.filter(({ type }) => type === "accepted").length;
    return (await chat.nth("accepted", n + 1)).invocation_id;
  }

  it("F111: ends a turn of the session, and the next goes on", async () => {
    const chat = await open();
    const id = await held(chat);
    chat.send({ type: "message", id: "dropped", text: "dropped" });
    chat.send({ type: "message", id: "kept", text: "kept" });
    const dropped = await chat.nth("accepted", 2);
    const kept = await chat.nth("accepted", 3);
    chat.send({ type: "cancel", invocation_id: dropped.invocation_id });
    chat.send({ type: "cancel", invocation_id: id });
    await chat.ended(kept.invocation_id);
    expect(namesOf(chat.events().filter(isEnd))).toEqual([
      "invocation.cancelled",
      "invocation.cancelled",
      "invocation.succeeded",
    ]);
    // Once more is no harm; what has succeeded stays so.
    chat.send({ type: "cancel", invocation_id: id });
    chat.send({ type: "cancel", invocation_id: kept.invocation_id });
    expect((await chat.nth("refused")).problem.code).toBe("conflict");
    chat.close();
  });

  it("G7: of what is not the session's is answered as of what is not", async () => {
    const chat = await open();
    const other = await open();
    const id = await held(other);
    const targets = [id, `inv_${"0".repeat(26)}`, "x", "", "'; DROP TABLE invocation; --"];
    for (const invocation_id of targets) chat.send({ type: "cancel", invocation_id });
    await chat.nth("refused", targets.length);
    const shapes = chat.frames
      .filter((frame) => frame.type === "refused")
      .map((frame) => JSON.stringify(frame).replaceAll(frame.problem.request_id, "(request)"));
    expect(new Set(shapes).size).toBe(1);
    expect(shapes[0]).toContain('"code":"not_found"');
    expect((await agent.get(id)).status).toBe("running");
    other.send({ type: "cancel", invocation_id: id });
    await other.ended(id);
    chat.close();
    other.close();
  });
});
