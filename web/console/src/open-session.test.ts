import { afterEach, expect, it, vi } from "vitest";
import { OpenSession, type Place, type Transcript } from "./open-session.ts";

const NEW: Place = { agent: "support", environment: "prod", session: null, known: [] };
const ACCEPTED = sse(1, "invocation.accepted", { invocation_id: "inv_1", session_id: "ses_1" });
const DELTA = sse(2, "message.delta", { text: "Hello." });
const ENDED = sse(3, "invocation.succeeded", { invocation: invocation("inv_1", "hi", "Hello.") });

afterEach(() => vi.unstubAllGlobals());

it("tells the address of a session that its first input has begun, with what is known of it", async () => {
  server({ "POST /a/support/invoke?environment=prod": () => stream(ACCEPTED, DELTA, ENDED) });
  const { session, accepted, until } = open(NEW);
  session.send("hi");
  await until(({ turns }) => turns[0]?.status === "succeeded");
  expect(accepted).toEqual([["ses_1", ["inv_1"]]]);
  expect(session.stands({ ...NEW, session: "ses_1" })).toBe(true);
  expect(session.stands(NEW)).toBe(false);
});

it("continues the session with the second input", async () => {
  const asked = server({
    "POST /a/support/invoke?environment=prod": () => stream(ACCEPTED, DELTA, ENDED),
  });
  const { session, until } = open(NEW);
  session.send("hi");
  await until(({ turns }) => turns[0]?.status === "succeeded");
  session.send("and?");
  await until(({ turns }) => turns[1]?.status === "succeeded");
  expect(asked.map(({ body }) => body)).toEqual([
    { input: "hi" },
    { input: "and?", session_id: "ses_1" },
  ]);
  expect(new Set(asked.map(({ key }) => key)).size).toBe(2);
});

it("S2: carries a stop out when the invocation has a name at last", async () => {
  let accept = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    accept = resolve;
  });
  const asked = server({
    "POST /a/support/invoke?environment=prod": async () => {
      await held;
      return stream(ACCEPTED);
    },
    "GET /v1/invocations/inv_1/events": () => stream(DELTA, ENDED),
    "POST /v1/invocations/inv_1/cancel": () => Response.json({}),
  });
  const { session, until } = open(NEW);
  session.send("hi");
  session.stop();
  expect(asked).toHaveLength(1);
  accept();
  await until(({ turns }) => turns[0]?.status === "succeeded");
  expect(asked.map(({ line }) => line)).toContain("POST /v1/invocations/inv_1/cancel");
});

it("asks a refused turn again with the same idempotency key", async () => {
  let refusals = 1;
  const asked = server({
    "POST /a/support/invoke?environment=prod": () => {
      refusals -= 1;
      if (refusals < 0) return stream(ACCEPTED, DELTA, ENDED);
      return Response.json({ title: "Slow down", code: "rate_limited" }, { status: 429 });
    },
  });
  const { session, until } = open(NEW);
  session.send("hi");
  const { turns } = await until((now) => now.turns[0]?.problem !== null);
  session.again(turns[0]?.key ?? "");
  await until((now) => now.turns[0]?.status === "succeeded");
  expect(asked[1]?.key).toBe(asked[0]?.key);
});

it("reads a session back with the turn its listing does not have yet, and follows that on", async () => {
  const running = { ...invocation("inv_1", "hi", ""), status: "running", output: null };
  const asked = server({
    "GET /v1/invocations?agent=support&session=ses_1&limit=30": () =>
      Response.json({ data: [{ id: "inv_0" }], next_cursor: null }),
    "GET /v1/invocations/inv_0": () => Response.json(invocation("inv_0", "before", "Earlier.")),
    "GET /v1/invocations/inv_1": () => Response.json(running),
    "GET /v1/invocations/inv_1/events": () => stream(ACCEPTED, DELTA, ENDED),
  });
  const { until } = open({ ...NEW, session: "ses_1", known: ["inv_1"] });
  const { turns } = await until((now) => now.turns[1]?.status === "succeeded");
  expect(turns.map(({ asked: said }) => said)).toEqual(["before", "hi"]);
  expect(asked.at(-1)?.line).toBe("GET /v1/invocations/inv_1/events");
});

it("S1: says nothing after it was left", async () => {
  server({ "POST /a/support/invoke?environment=prod": () => stream(ACCEPTED, DELTA, ENDED) });
  const { session, told } = open(NEW);
  session.send("hi");
  session.leave();
  const before = told.length;
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toHaveLength(before);
});

function open(place: Place) {
  const told: Transcript[] = [];
  const accepted: unknown[] = [];
  const waiting = new Set<() => void>();
  const tell = (transcript: Transcript): void => {
    told.push(transcript);
    for (const wake of waiting) wake();
  };
  const session = new OpenSession(place, tell, (...args) => void accepted.push(args));
  const until = async (test: (now: Transcript) => boolean): Promise<Transcript> => {
    for (;;) {
      const now = told.at(-1);
      if (now && test(now)) return now;
      await new Promise<void>((resolve) => void waiting.add(resolve));
    }
  };
  return { session, told, accepted, until };
}

type Asked = { readonly line: string; readonly key: string | null; readonly body: unknown };

/** Stands in for `fetch`: answers by method and path, and tells what it was asked. */
function server(routes: Readonly<Record<string, () => Response | Promise<Response>>>): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const line = `${init.method} ${path}`;
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    asked.push({ line, key: new Headers(init.headers).get("idempotency-key"), body });
    const answer = routes[line];
    if (answer === undefined) throw new Error(`nothing answers ${line}`);
    return answer();
  });
  return asked;
}

function stream(...events: readonly string[]): Response {
  return new Response(events.join(""));
}

function sse(seq: number, event: string, data: unknown): string {
  return `id: ${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function invocation(id: string, input: string, text: string) {
  const output = { text, messages: [{ role: "assistant", content: text }] };
  const created = `2026-11-20T12:00:0${id.at(-1)}.000Z`;
  return { id, session_id: "ses_1", status: "succeeded", input, output, created_at: created };
}
