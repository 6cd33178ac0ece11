/**
 * `npm run dev`: wrangler's reloading server, for work on the code. Slower than `npm start` and
 * with a state of its own beside it; never measure anything here.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AT_START, EVERY_MINUTE } from "../workers/jobs/cron.ts";
import { build, ROOT, run, WRANGLER_ENV } from "./build.ts";
import { provisionDemo } from "./demo.ts";
import { exchangeWith } from "./exchange.ts";
import { endWith } from "./lifeline.ts";
import { keptKeys, settingsOf } from "./settings.ts";
import type { Vars } from "./settings.ts";
import { openState } from "./state.ts";
import { welcome } from "./welcome.ts";

const CRON_MS = 60_000;

const { PORT = "8787", STATE_DIR, ...given } = settingsOf(process.env, ROOT);
const stateDir = resolve(ROOT, STATE_DIR ?? ".berth");
openState(stateDir);
const baseDomain = given["BASE_DOMAIN"] ?? `localhost:${PORT}`;
const vars: Vars = { ...keptKeys(stateDir), ...given, BASE_DOMAIN: baseDomain };

// A file and not arguments: arguments are visible to every user of the machine.
const envFile = join(stateDir, "dev.env");
const lines = Object.entries(vars).map(([name, value]) => `${name}='${value}'`);
writeFileSync(envFile, `${lines.join("\n")}\n`, { mode: 0o600 });
chmodSync(envFile, 0o600);

const persist = join(stateDir, "dev");
mkdirSync(persist, { recursive: true });
await build((line) => process.stdout.write(`${line}\n`));
await run("wrangler", [
  "d1",
  "migrations",
  "apply",
  "DB",
  "--env",
  "",
  "--local",
  "--persist-to",
  persist,
]);

const children = [
  start("wrangler", [
    "dev",
    "--env",
    "",
    "--port",
    PORT,
    "--persist-to",
    persist,
    "--env-file",
    envFile,
  ]),
  start("vite", ["build", "--watch", "--logLevel", "warn", "web/console"]),
];
endWith(async () => {
  await Promise.all(children.map(stop));
});

await ready();
void scheduled(AT_START);
setInterval(() => void scheduled(), CRON_MS);
const demo = await provisionDemo({
  port: Number(PORT),
  baseDomain,
  platformKey: vars["PLATFORM_KEY"] ?? "",
  stateDir: persist,
});
process.stdout.write(welcome(demo));

async function ready(): Promise<void> {
  const health = () => exchangeWith(Number(PORT))(baseDomain, "/health");
  while ((await health().catch(() => undefined))?.status !== 200) await pause(200);
}

/** wrangler does not call it by itself here. A failure is wrangler's to show. */
async function scheduled(cron = EVERY_MINUTE): Promise<void> {
  const path = `/cdn-cgi/local/scheduled?cron=${encodeURIComponent(cron)}`;
  await exchangeWith(Number(PORT))(baseDomain, path).catch(() => {});
}

function start(tool: string, args: readonly string[]): ChildProcess {
  return spawn(join(ROOT, "node_modules", ".bin", tool), [...args], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...WRANGLER_ENV },
  }).once("exit", (code) => process.exit(code ?? 1));
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.removeAllListeners("exit");
  const gone = new Promise((settle) => child.once("exit", settle));
  child.kill("SIGTERM");
  await gone;
}
