import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { open, exchangeWith } from "../../tools/exchange.ts";
import { freePort } from "../../tools/local.ts";
import { readEvents } from "../fixtures/storm-events.ts";

const TOOLS = join(import.meta.dirname, "..", "..", "tools");
let stateDir = "";
let port = 0;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "berth start "));
  port = await freePort();
});
afterAll(async () => rm(stateDir, { recursive: true, force: true }));

type Started = { readonly text: string; stop(): Promise<number | null> };

/** As `npm start` runs it. */
async function start(): Promise<Started> {
  const { exited, child } = run("start.ts");
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (line.endsWith(`http://acme.localhost:${port}/`) && said.some((it) => it.startsWith("curl")))
      break;
  }
  const stop = async (): Promise<number | null> => {
    child.kill("SIGINT");
    return exited;
  };
  return { text: said.join("\n"), stop };
}

function run(tool: string) {
  const child = spawn(process.execPath, [join(TOOLS, "run.mjs"), `tools/${tool}`], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, PORT: String(port), STATE_DIR: stateDir },
    detached: true,
  });
  const exited = once(child, "exit").then(([code]): number | null => code);
  return { child, exited };
}

const KEY = /API key +(berth_live_\S+)/;

it("one command serves a demo agent, says how to reach it, and finds it again", async () => {
  const first = await start();
  const key = KEY.exec(first.text)?.[1] ?? "";
  expect(first.text).toMatch(/Answered {2}.*30 days/);
  expect(first.text).toContain(`Agent     http://acme.localhost:${port}/a/support`);
  expect(first.text.match(/^(?:curl -s |curl -sN |(?:xdg-)?open )/gm)).toHaveLength(3);

  const host = `acme.localhost:${port}`;
  const asked = { method: "POST", headers: { authorization: `Bearer ${key}` } };
  const body = { input: "When is the shop open?" };
  const answer = await exchangeWith(port)(host, "/a/support/invoke", { ...asked, body });
  expect(answer).toMatchObject({ status: 200, body: { status: "succeeded" } });
  const headers = { ...asked.headers, accept: "text/event-stream" };
  const stream = await open(port, host, "/a/support/invoke", { ...asked, headers, body });
  const events: string[] = [];
  for await (const { event } of readEvents(stream)) events.push(event);
  expect(events.at(-1)).toBe("invocation.succeeded");
  expect(await first.stop()).toBe(130);

  const second = await start();
  expect(KEY.exec(second.text)?.[1]).toBe(key);
  expect(second.text).not.toContain("migrated:");
  const reset = run("reset.ts");
  reset.child.stdout.resume();
  expect(await reset.exited).toBe(1); // in use
  expect(await second.stop()).toBe(130);

  const again = run("reset.ts");
  again.child.stdout.resume();
  expect(await again.exited).toBe(0);
  expect(existsSync(stateDir) ? await readdir(stateDir) : []).toEqual([]);
});
