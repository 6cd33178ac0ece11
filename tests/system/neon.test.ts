/**
 * The whole platform on Postgres: the built Worker, Neon's own HTTP driver, a server that speaks its
 * protocol, brought up to date by the command that docs/operating.md names.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Sent, exchangeWith } from "../../tools/exchange.ts";
import { type NeonServer, startNeonServer } from "../fixtures/neon-server.ts";
import { type Platform, startPlatform } from "../fixtures/platform.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const HOST = "acme.localhost:8787";

let folder = "";
let neon: NeonServer;
let platform: Platform;
let key = "";
/** By the first migration. */
let said = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "berth neon "));
  neon = await startNeonServer();
  said = await migrate();
  const vars = { CONTROL_PLANE: "neon", DATABASE_URL: neon.url, BASE_DOMAIN: "localhost:8787" };
  platform = await startPlatform({ stateDir: join(folder, "state"), vars });
});
afterAll(async () => {
  await platform?.kill();
  await neon?.close();
  await rm(folder, { recursive: true, force: true });
});

async function migrate(): Promise<string> {
  const env = { ...process.env, DATABASE_URL: neon.url };
  const run = promisify(execFile)(
    process.execPath,
    [join(ROOT, "tools", "run.mjs"), "migrations/neon.ts"],
    { env },
  );
  return (await run).stdout.trim();
}

async function ask<T>(path: string, expected: number, sent: Sent = {}): Promise<T> {
  const headers = { authorization: `Bearer ${key}`, ...sent.headers };
  const answer = await exchangeWith(platform.port)(HOST, path, { ...sent, headers });
  expect([path, answer.status, answer.status === expected ? null : answer.body]).toEqual([
    path,
    expected,
    null,
  ]);
  return answer.body as T; // asserted on by the caller
}

const post = <T>(path: string, expected: number, body?: unknown) =>
  ask<T>(path, expected, { method: "POST", ...(body === undefined ? {} : { body }) });

async function live(id: string): Promise<void> {
  for (;;) {
    const { status, error } = await ask<{ status: string; error: unknown }>(
      `/v1/deployments/${id}`,
      200,
    );
    if (status === "live") return;
    if (status === "failed") throw new Error(`deployment failed: ${JSON.stringify(error)}`);
    await pause(50);
  }
}

describe("the platform on Postgres", () => {
  it("F158, F159: migrating again is no change", async () => {
    expect(said).toMatch(/^applied 0000_control_plane\.sql, /);
    expect(await migrate()).toBe("up to date");
  });

  it("F158, F11, F171: provisions, deploys, answers and proves its trail", async () => {
    const made = await exchangeWith(platform.port)("localhost:8787", "/v1/tenants", {
      method: "POST",
      headers: { authorization: `Bearer ${platform.platformKey}` },
      body: { slug: "acme", name: "Acme", admin: { email: "ada@acme.example", name: "Ada" } },
    });
    expect(made.status).toBe(201);
    key = (made.body as { key: { secret: string } }).key.secret;
    const narrowed = await post<{ secret: string }>("/v1/keys", 201, {
      name: "invoker",
      scopes: ["agents:invoke"],
    });
    const spec = { kind: "llm", instructions: "Our office is in Bremen, at the old harbour." };
    const agent = await post<{ id: string }>("/v1/agents", 201, { slug: "desk", name: "D", spec });
    await post(`/v1/agents/${agent.id}/publish`, 201);
    const wish = { version: 1, environment: "prod" };
    const { id } = await post<{ id: string }>(`/v1/agents/${agent.id}/deployments`, 202, wish);
    await live(id);
    const headers = { authorization: `Bearer ${narrowed.secret}` };
    const body = { input: "Where is the office?" };
    const answered = await ask<{ id: string; status: string; output: unknown }>(
      "/a/desk/invoke",
      200,
      { method: "POST", headers, body },
    );
    expect(answered.status).toBe("succeeded");
    expect(JSON.stringify(answered.output)).toContain("Bremen");
    await ask(`/v1/invocations/${answered.id}`, 200);
    const { seq } = await post<{ seq: number }>("/v1/audit/checkpoints", 201);
    const proof = await ask<{ entries: number }>("/v1/audit/verify", 200);
    expect(proof).toMatchObject({ verified: true, unchained: 0 });
    expect(proof.entries).toBeGreaterThanOrEqual(seq);
    const { data } = await ask<{ data: { action: string }[] }>("/v1/audit?limit=100", 200);
    const actions = new Set(data.map(({ action }) => action));
    for (const action of ["tenant.provisioned", "key.created", "deployment.live"]) {
      expect(actions).toContain(action);
    }
  });

  it("F171, K13: what an owner of the database changes is named", async () => {
    const { rows } = await neon.pg.query<{ id: string; seq: number }>(
      "select id, seq from audit where action = 'agent.created'",
    );
    const [row] = rows;
    await neon.pg.query("update audit set actor_id = 'key_other' where id = $1", [row?.id]);
    expect(await ask("/v1/audit/verify", 200)).toMatchObject({
      verified: false,
      fault: { seq: row?.seq, id: row?.id, what: "altered" },
    });
  });

  it("F158: nothing of it is in D1", async () => {
    expect(neon.served()).toBeGreaterThan(10);
    const { rows } = await neon.pg.query("select slug from tenant");
    expect(rows).toEqual([{ slug: "acme" }]);
  });
});
