/** What is on the disk and in the log of a whole platform that was given secrets, and killed. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { build } from "../../tools/build.ts";
import { exchangeWith } from "../../tools/exchange.ts";
import { startHttpServer } from "../fixtures/http-server.ts";
import { startModelServer } from "../fixtures/model-server.ts";
import { type Platform, startPlatform } from "../fixtures/platform.ts";
import { formsOf } from "../fixtures/secret-forms.ts";

const PLATFORM_HOST = "localhost:8787";
const HOST = "acme.localhost:8787";
const SECRETS = {
  key: "sk-canary-of-the-provider-0815",
  header: "canary-of-the-header-4711",
  rotated: "canary-of-the-rotation-4712",
};
const Keyed = z.object({ key: z.object({ secret: z.string() }) });
const Identified = z.object({ id: z.string() });

it("F191: a secret is in no file of the state folder and in no line of the log", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "berth-secrets-"));
  const [model, far] = [await startModelServer(), await startHttpServer()];
  const bundle = await build(undefined, { console: false });
  const vars = { EGRESS_ALLOW: `127.0.0.1:${model.port},127.0.0.1:${far.port}` };
  const platform = await startPlatform({ stateDir, bundle, vars });
  onTestFinished(async () => {
    await platform.kill();
    await model.close();
    await far.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const api = await newTenant(platform);
  const base = `http://127.0.0.1:${model.port}/v1`;
  await api("/v1/providers", { slug: "own", kind: "openai", base_url: base, api_key: SECRETS.key });
  const secret = await api("/v1/secrets", { name: "CRM", value: SECRETS.header });
  await liveAgent(api, `http://127.0.0.1:${far.port}/mirror`);
  for (const input of ["[[tool-call]]", "[[mirror]]", "[[mirror-status-500]]"]) {
    await api("/a/mirrored/invoke", { input });
  }
  const { id } = Identified.parse(secret);
  await api(`/v1/secrets/${id}/rotate`, { value: SECRETS.rotated, overlap_seconds: 600 });
  await api("/a/mirrored/invoke", { input: "[[tool-call]]" });
  const sent = far.requests.map(({ headers }) => headers["authorization"]);
  expect(sent).toEqual([`Bearer ${SECRETS.header}`, `Bearer ${SECRETS.rotated}`]);
  await platform.kill();

  const texts = [...(await filesOf(stateDir)), platform.said()];
  expect(texts.some((text) => text.includes("[redacted]"))).toBe(true);
  const found = Object.entries(SECRETS).filter(([, value]) =>
    formsOf(value).some((form) => texts.some((text) => text.includes(form))),
  );
  expect(found.map(([name]) => name)).toEqual([]);
});

type Api = (path: string, body?: unknown) => Promise<unknown>;

/** A tenant and its API; POST unless there is no body to send. */
async function newTenant({ port, platformKey }: Platform): Promise<Api> {
  const ask = async (host: string, key: string, path: string, body?: unknown) => {
    const method = body === undefined ? "GET" : "POST";
    const headers = { authorization: `Bearer ${key}` };
    return (await exchangeWith(port)(host, path, { method, headers, body })).body;
  };
  const admin = { email: "admin@acme.example", name: "Ada" };
  const wish = { slug: "acme", name: "Acme", admin };
  const made = Keyed.parse(await ask(PLATFORM_HOST, platformKey, "/v1/tenants", wish));
  return (path, body) => ask(HOST, made.key.secret, path, body);
}

/** An agent whose tool sends the secret to a far side that repeats it. */
async function liveAgent(api: Api, url: string): Promise<void> {
  const Authorization = { secret: "CRM", prefix: "Bearer " };
  const tool = {
    kind: "http",
    name: "far",
    description: "Repeats.",
    url,
    headers: { Authorization },
  };
  const spec = { kind: "llm", model: "own/echo", tools: [tool], retry: { attempts: 1 } };
  await api("/v1/agents", { slug: "mirrored", name: "Mirrored", spec });
  await api("/v1/agents/mirrored/publish", {});
  const wish = { version: 1, environment: "prod" };
  const { id } = Identified.parse(await api("/v1/agents/mirrored/deployments", wish));
  const Status = z.object({ status: z.string() });
  while (Status.parse(await api(`/v1/deployments/${id}`)).status !== "live") await pause(20);
}

/** Every file below, byte for byte; the platform's own keys have a file to themselves. */
async function filesOf(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name !== "config.json");
  return Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")));
}
