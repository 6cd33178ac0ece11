/**
 * Canaries: every kind of secret there is, used in every way there is, by far sides that repeat
 * what they were sent. Afterwards none of them stands in any table, object, answer or log.
 */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fingerprintOf } from "../../workers/edge/idempotency.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import {
  FAR_SIDE,
  MODEL_SERVER,
  type TestAgent,
  liveAgent,
  seenBy,
  wordsOf,
} from "../fixtures/agent-runs.ts";
import { controlPlane, objects, type Place } from "../fixtures/canaries.ts";
import { CLIENT_GRANT, basic, newClient, postForm } from "../fixtures/oauth.ts";
import { formsOf } from "../fixtures/secret-forms.ts";
import { type Ask, type TestTenant, askPlatform, newWorld } from "../fixtures/world.ts";

/** Long and odd enough to be told from all else, and to need escaping where it can hold such. */
const canary = (name: string) => `canary-${name}-${crypto.randomUUID()}`;

const CANARIES = {
  providerKey: canary("provider"),
  patchedKey: canary("patched"),
  namedKey: canary("named"),
  header: `${canary("header")}"<&>\\/+ end`,
  rotated: canary("rotated"),
  refused: canary("refused"),
  guessed: canary("guessed"),
  issuer: canary("issuer-shared-secret"),
  password: canary("password"),
  clientGuess: canary("client-guess"),
};

/** Sent beside them in a plain header: what is not kept secret must be found by the same search. */
const NO_SECRET = `control-${crypto.randomUUID()}`;

let acme: TestTenant;
let agent: TestAgent;
let secretId = "";
/** Answers that show nothing once: what may never hold a secret. */
const answers: Place[] = [];
const said: Place[] = [];
const LEVELS = ["debug", "log", "info", "warn", "error"] as const;

beforeAll(async () => {
  for (const level of LEVELS) {
    vi.spyOn(console, level).mockImplementation((...parts: readonly unknown[]) => {
      said.push({ at: `console.${level}`, text: parts.map(String).join(" ") });
    });
  }
  ({ acme } = await newWorld());
  const provider = { slug: "own", kind: "openai", base_url: `${MODEL_SERVER}/v1` };
  await ask("/v1/providers", { json: { ...provider, api_key: CANARIES.providerKey } });
  await ask("/v1/secrets", { json: { name: "MODEL_KEY", value: CANARIES.namedKey } });
  const named = { ...provider, slug: "named", api_key_secret: "MODEL_KEY" };
  await ask("/v1/providers", { json: named });
  const made = await ask("/v1/secrets", { json: { name: "CRM", value: CANARIES.header } });
  secretId = (JSON.parse(made) as { id: string }).id;
  agent = await liveAgent(acme, "mirrored", {
    model: "own/echo",
    fallback: ["named/echo", "house/echo"],
    tools: [tool("plain", "mirror"), tool("broken", "mirror-503"), tool("odd", "binary")],
  });
});

afterAll(() => {
  vi.restoreAllMocks();
});

function tool(name: string, path: string): object {
  const headers = { "X-Plain": NO_SECRET, Authorization: { secret: "CRM", prefix: "Bearer " } };
  const url = `${FAR_SIDE}/${path}`;
  return {
    kind: "http",
    name,
    description: "Repeats.",
    url,
    method: "POST",
    headers,
  };
}

/** A request whose answer is kept to be searched. */
async function ask(path: string, options: Ask = {}, tenant = acme): Promise<string> {
  const answer = await tenant.ask(path, options);
  const text = await answer.text();
  const headers = JSON.stringify([...answer.headers]);
  answers.push({ at: `${options.method ?? "?"} ${path}: ${answer.status}`, text: headers + text });
  return text;
}

const invoke = (input: string, headers: Record<string, string> = {}) =>
  ask("/a/mirrored/invoke", { json: { input }, headers });

describe("F191: what a far side repeats", () => {
  it("comes out of a tool as [redacted], in each form it was repeated in", async () => {
    const answer = JSON.parse(await invoke("[[tool-call]] plain")) as { id: string };
    const seen = await seenBy(FAR_SIDE, { label: "mirror" });
    expect(seen[0]?.headers["authorization"]).toBe(`Bearer ${CANARIES.header}`);
    const events = await agent.events(answer.id);
    const returned = events.find(({ event }) => event === "tool.returned");
    const told = JSON.parse(String(returned?.data["content"])) as {
      headers: Record<string, string>;
      base64: string;
      hex: string;
    };
    expect(told.headers["x-plain"]).toBe(NO_SECRET);
    expect(told.headers["authorization"]).toBe("Bearer [redacted]");
    expect(told.base64).toContain("[redacted]");
    expect(told.hex).toContain("[redacted]");
  });

  it("comes out of a model as [redacted], whole and in pieces", async () => {
    const plain = JSON.parse(await invoke("[[mirror]]")) as { output: { text: string } };
    expect(plain.output.text).toMatch(/^you sent Bearer \[redacted\] and /);
    const events = await agent.stream("[[mirror-60]]");
    expect(wordsOf(events)).toBe(plain.output.text);
    expect(wordsOf(await agent.stream("[[mirror-3]]"))).toBe(plain.output.text);
  });
});

describe("F190: a value of before, while its overlap lasts", () => {
  it("is redacted as well: somebody may still accept it", async () => {
    const before = canary("before");
    const { id } = await acme.json<{ id: string }>("/v1/secrets", 201, {
      json: { name: "OLD", value: before },
    });
    const headers = { "X-Old": { secret: "OLD" } };
    const repeats = { ...tool("old", "text"), url: `${FAR_SIDE}/mirror`, headers };
    const plain = await liveAgent(acme, "overlapping", { model: "own/echo", tools: [repeats] });
    const rotation = { value: canary("after"), overlap_seconds: 600 };
    await acme.json(`/v1/secrets/${id}/rotate`, 200, { json: rotation });
    const { output } = await plain.ask(`Do you know ${before}?`);
    expect(output?.text).toBe("echo: Do you know [redacted]?");
  });
});

describe("F191 F190 F80: canaries", () => {
  it("go through everything", async () => {
    for (const input of [
      "[[mirror-call]] plain",
      "[[mirror-status-400]]",
      "[[mirror-status-401]]",
      "[[mirror-status-500]]",
      "[[error-in-stream]]",
      "[[broken-json]]",
      "[[tool-call]] broken",
      "[[tool-call]] odd",
      "[[tool-many-3]] plain",
    ]) {
      await invoke(input);
      await invoke(input, { accept: "text/event-stream" });
    }
    await invoke("[[mirror]]", { "idempotency-key": "once" });
    const replay = JSON.parse(await invoke("[[mirror]]", { "idempotency-key": "once" })) as {
      id: string;
    };
    for (const part of ["", "/steps", "/events"]) await ask(`/v1/invocations/${replay.id}${part}`);
    await ask(`/v1/invocations/${replay.id}/retry`, { method: "POST" });
    const headers = { "idempotency-key": "rotate" };
    const json = { value: CANARIES.rotated, overlap_seconds: 600 };
    await ask(`/v1/secrets/${secretId}/rotate`, { json, headers });
    await ask(`/v1/secrets/${secretId}/rotate`, { json, headers });
    await ask(`/v1/secrets/${secretId}/verify`, { json: { value: CANARIES.header } });
    await invoke("[[tool-call]] plain");
    await ask("/v1/secrets/rotate-data-key", { method: "POST" });
    await invoke("[[tool-call]] plain");
    const sent = (await seenBy(FAR_SIDE, {})).map((it) => it.headers["authorization"]);
    expect(sent).toContain(`Bearer ${CANARIES.rotated}`);
  });

  it("are refused without being repeated", async () => {
    const value = CANARIES.refused;
    for (const json of [
      { name: "bad name", value },
      { name: "GOOD", value: [value] },
      { name: value, value: "x" },
      { name: "GOOD", value, extra: value },
      { name: "CRM", value },
    ]) {
      await ask("/v1/secrets", { json });
    }
    await ask("/v1/secrets", { method: "POST", json: `{"value": "${value}` });
    await ask("/v1/providers", { json: { slug: "own", api_key: value, kind: value } });
    await ask("/v1/keys/verify", { json: { key: value } });
    await ask("/v1/agents", { as: value });
    await ask("/v1/agents", { as: acme.key + value });
    await ask("/auth/session", { as: null, json: { key: value } });
    const login = { email: "admin@acme.example", password: CANARIES.password };
    await ask("/auth/login", { as: null, json: { ...login, tokens: true } });
    const client = await newClient(acme);
    for (const [id, secret] of [
      [client.id, CANARIES.clientGuess],
      [CANARIES.clientGuess, client.secret],
    ] as const) {
      const answer = await postForm(acme, CLIENT_GRANT, basic(id, secret));
      answers.push({ at: "/auth/token", text: await answer.text() });
    }
    const given = await postForm(acme, CLIENT_GRANT, basic(client.id, client.secret));
    expect(given.status).toBe(200);
    shown.push(client.secret, (await given.json<{ access_token: string }>()).access_token);
  });

  it("cannot be tried out against what is kept of a request", async () => {
    const json = { name: "GUESSED", value: CANARIES.guessed };
    const key = "guess-me";
    await ask("/v1/secrets", { json, headers: { "idempotency-key": key } });
    const row = await env.DB.prepare("SELECT fingerprint FROM idempotency WHERE key = ?")
      .bind(key)
      .first<{ fingerprint: string }>();
    expect(row?.fingerprint).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(row?.fingerprint).not.toBe(fingerprintOf("POST", "/v1/secrets", json));
  });

  it("are sealed where they must be kept", async () => {
    const list = JSON.parse(await ask("/v1/providers")) as { data: { id: string; slug: string }[] };
    const own = list.data.find(({ slug }) => slug === "own");
    await ask(`/v1/providers/${own?.id}`, {
      method: "PATCH",
      headers: { "if-match": '"1"' },
      json: { api_key: CANARIES.patchedKey },
    });
    await invoke("[[mirror]]");
    const issuer = {
      name: "Shared",
      issuer: "https://issuer.example",
      audience: "berth",
      alg: "HS256",
      shared_secret: CANARIES.issuer,
    };
    const made = await ask("/v1/issuers", { json: issuer });
    expect(JSON.parse(made)).toMatchObject({ has_shared_secret: true });
    const seen = (await seenBy(MODEL_SERVER, {})).map(({ headers }) => headers["authorization"]);
    expect(seen).toEqual(
      expect.arrayContaining([
        `Bearer ${CANARIES.providerKey}`,
        `Bearer ${CANARIES.namedKey}`,
        `Bearer ${CANARIES.patchedKey}`,
      ]),
    );
  });

  it("are named and not shown by every list there is", async () => {
    for (const path of [
      "/v1/secrets",
      `/v1/secrets/${secretId}`,
      `/v1/secrets/${secretId}/versions`,
      "/v1/secrets/data-keys",
      "/v1/providers",
      "/v1/issuers",
      "/v1/clients",
      "/v1/keys",
      "/v1/audit?limit=100",
      "/v1/audit/export",
      "/v1/usage",
      "/v1/invocations",
      "/v1/agents/mirrored",
      "/v1/agents/mirrored/draft",
      "/v1/agents/mirrored/versions/1",
      "/v1/agents/mirrored/deployments",
      "/openapi.json",
      "/health",
      "/",
      "/a/mirrored",
    ]) {
      await ask(path);
    }
    const sealing = await askPlatform("/v1/sealing");
    answers.push({ at: "/v1/sealing", text: await sealing.text() });
    expect(answers.slice(-21).filter(({ at }) => !/: (?:200|404)$|sealing/.test(at))).toEqual([]);
  });

  it("stand in no table, no object, no answer and no log", async () => {
    const { config } = servicesOf(env);
    const fixed = [
      env.PLATFORM_KEY,
      ...config.masterKeys.map(({ key }) => btoa(String.fromCharCode(...key))),
      ...config.modelProviders.flatMap((it) => it.api_key ?? []),
      (JSON.parse(env.TOKEN_SIGNING_JWK) as { d: string }).d,
      acme.key,
    ];
    const places = [...(await controlPlane()), ...(await objects()), ...answers, ...said];
    expect(places.length).toBeGreaterThan(60);
    expect(places.some(({ at }) => at.endsWith(": step"))).toBe(true);
    expect(places.some(({ text }) => text.includes("[redacted]"))).toBe(true);
    const control = places.filter(({ text }) => text.includes(NO_SECRET)).map(({ at }) => at);
    for (const kind of ["table version", ": step", ": event", "/a/mirrored/invoke: 200"]) {
      expect(control.some((at) => at.includes(kind))).toBe(true);
    }
    const found = [...Object.values(CANARIES), ...fixed, ...shown].flatMap((value) =>
      formsOf(value).flatMap((form, n) =>
        places
          .filter(({ text }) => text.includes(form))
          .map(({ at }) => `${nameOf(value)} (${n}) in ${at}`),
      ),
    );
    expect(found).toEqual([]);
  });
});

/** What was shown once, to whoever it was made for. */
const shown: string[] = [];

/** A canary by its name; a test's output is a log, too. */
function nameOf(value: string): string {
  return Object.entries(CANARIES).find(([, it]) => it === value)?.[0] ?? "a key";
}
