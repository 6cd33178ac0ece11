import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { exchangeWith } from "../../tools/exchange.ts";
import { gone, running, startPlatform } from "../fixtures/platform.ts";
import type { Platform, PlatformOptions } from "../fixtures/platform.ts";
import { writeProbe } from "../fixtures/probe-bundle.ts";

const RUN = join(import.meta.dirname, "..", "..", "tools", "run.mjs");
let folder = "";
let bundle: Awaited<ReturnType<typeof writeProbe>>;
const started: Platform[] = [];

beforeAll(async () => {
  // A space in the path, as people's folders have.
  folder = await mkdtemp(join(tmpdir(), "berth local "));
  bundle = await writeProbe(folder);
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((platform) => platform.kill()));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function start(options: Partial<PlatformOptions> = {}): Promise<Platform> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(folder, "state ")));
  const platform = await startPlatform({ bundle, ...options, stateDir });
  started.push(platform);
  return platform;
}

async function ask(platform: Platform, path: string, host = "localhost"): Promise<unknown> {
  return (await exchangeWith(platform.port)(host, path)).body;
}

describe("the server's end", () => {
  it("F203: keeps everything when all its processes are killed at once", async () => {
    const stateDir = await mkdtemp(join(folder, "state "));
    const first = await start({ stateDir });
    expect(await ask(first, "/count")).toBe(1);
    await first.kill();
    expect(await running(first.workerdPid)).toBe(false);
    const second = await start({ stateDir });
    expect(await ask(second, "/count")).toBe(2);
    expect(second.platformKey).toBe(first.platformKey);
  });

  it("leaves no workerd when its process alone is killed by -9", async () => {
    const platform = await start();
    expect(await running(platform.workerdPid)).toBe(true);
    process.kill(platform.pid, "SIGKILL");
    await gone(platform.workerdPid);
    expect(await running(platform.workerdPid)).toBe(false);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("leaves nothing after %s", async (signal) => {
    const stateDir = await mkdtemp(join(folder, "state "));
    const platform = await start({ stateDir });
    process.kill(platform.pid, signal);
    await gone(platform.pid);
    await gone(platform.workerdPid);
    const next = await start({ stateDir }); // the state is not held any more
    expect(await ask(next, "/count")).toBe(1);
  });

  it("ends with the process that started it, however that ended", async () => {
    const stateDir = await mkdtemp(join(folder, "state "));
    const options = JSON.stringify({ stateDir, bundle, console: false });
    const runner = spawn(process.execPath, [RUN, "tools/serve.ts", options], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    const [line] = await once(createInterface({ input: runner.stdout }), "line");
    const { workerdPid } = JSON.parse(String(line)) as { workerdPid: number };
    expect(await running(workerdPid)).toBe(true);
    runner.kill("SIGKILL");
    await gone(workerdPid);
    expect(await running(workerdPid)).toBe(false);
  });
});

describe("the server's start", () => {
  it("says in one line that the port is taken", async () => {
    const { port } = await start();
    await expect(start({ port })).rejects.toThrow(
      new Error(`no server: Port ${port} is in use; choose another with PORT=<number>.`),
    );
  });

  it("refuses a state that another server holds, and folders that are not its own", async () => {
    const stateDir = await mkdtemp(join(folder, "state "));
    await start({ stateDir });
    await expect(start({ stateDir })).rejects.toThrow(/is in use by another server/);
    const foreign = await mkdtemp(join(folder, "foreign "));
    await writeFile(join(foreign, "thesis.txt"), "years of work");
    await expect(start({ stateDir: foreign })).rejects.toThrow(/holds files that are not Berth's/);
  });

  it("refuses a bad setting by its name and does not repeat what it held", async () => {
    const vars = { PLATFORM_KEY: "too-short", CREDENTIAL_CACHE_MS: "soon" };
    const failure: unknown = await start({ vars }).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/PLATFORM_KEY/);
    expect(String(failure)).toMatch(/CREDENTIAL_CACHE_MS/);
    expect(String(failure)).not.toMatch(/too-short|soon/);
  });

  it("makes the keys it needs once, readable by their owner alone", async () => {
    const stateDir = await mkdtemp(join(folder, "state "));
    const platform = await start({ stateDir });
    const file = join(stateDir, "config.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const kept = JSON.parse(await readFile(file, "utf8")) as Record<string, string>;
    expect(Object.keys(kept).sort()).toEqual(["MASTER_KEY", "PLATFORM_KEY", "TOKEN_SIGNING_JWK"]);
    expect(await ask(platform, "/env", "acme.localhost:1")).toMatchObject({
      ...kept,
      GIVEN: "by the file",
      BASE_DOMAIN: `localhost:${platform.port}`,
      host: "acme.localhost:1",
    });
  });

  it("F159: applies every migration to a clean database, once", async () => {
    const stateDir = await mkdtemp(join(folder, "state "));
    const first = await start({ stateDir });
    const applied = await ask(first, "/tables");
    await first.kill();
    expect(await ask(await start({ stateDir }), "/tables")).toEqual(applied);
    expect(applied).not.toEqual([]);
  });

  it("calls what cron would call, and says that it is the start's call", async () => {
    const platform = await start();
    await expect.poll(async () => ask(platform, "/scheduled")).toEqual(["@start"]);
  });

  it("serves static files beside the Worker", async () => {
    const { url } = await start();
    const page = await fetch(`${url}/`);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(await page.text()).toContain("<title>probe</title>");
  });
});

describe("the wall around calls", () => {
  it("lets exactly the allowed pairs be reached inside, by no other name", async () => {
    const target = createServer((request, response) => response.end(`${request.headers.host}`));
    await new Promise<void>((ready) => target.listen(0, "127.0.0.1", ready));
    onTestFinished(() => void target.close());
    const { port } = target.address() as AddressInfo;
    const platform = await start({ vars: { EGRESS_ALLOW: `127.0.0.1:${port}` } });
    const call = async (url: string) =>
      ask(platform, `/fetch?url=${encodeURIComponent(url)}`) as Promise<{ status?: number }>;
    expect(await call(`http://127.0.0.1:${port}/`)).toEqual({
      status: 200,
      text: `127.0.0.1:${port}`,
    });
    // Another name of the same address, another port, the server itself, and other inside ranges.
    for (const url of [
      `http://localhost:${port}/`,
      `http://[::1]:${port}/`,
      `http://127.0.0.2:${port}/`,
      `http://127.0.0.1:${platform.port}/scheduled`,
      "http://169.254.169.254/latest/meta-data",
      "http://10.0.0.1/",
    ]) {
      expect({ url, ...(await call(url)) }).toEqual({ url, error: expect.any(String) });
    }
  });
});
