/**
 * `npm run dev`: wrangler's reloading server, for work on the code. Slower than `npm start` and
 * with a state of its own beside it; never measure anything here.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build, ROOT, run, WRANGLER_ENV } from "./build.ts";
import { endWith } from "./lifeline.ts";
import { keptKeys, settingsOf } from "./settings.ts";
import { openState } from "./state.ts";

const { PORT = "8787", STATE_DIR, ...given } = settingsOf(process.env, ROOT);
const stateDir = resolve(ROOT, STATE_DIR ?? ".berth");
openState(stateDir);
const vars = { ...keptKeys(stateDir), BASE_DOMAIN: `localhost:${PORT}`, ...given };

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
