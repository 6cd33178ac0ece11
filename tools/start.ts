/** `npm start`: the platform with its demo, until Ctrl-C. */
import { resolve } from "node:path";
import { ROOT } from "./build.ts";
import { provisionDemo } from "./demo.ts";
import { endWith } from "./lifeline.ts";
import { startLocal } from "./local.ts";
import { settingsOf } from "./settings.ts";
import { welcome } from "./welcome.ts";

const say = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  await start();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

async function start(): Promise<void> {
  const { PORT, STATE_DIR, ...vars } = settingsOf(process.env, ROOT);
  const port = Number(PORT ?? 8787);
  const stateDir = resolve(ROOT, STATE_DIR ?? ".berth");
  const local = await startLocal({ port, stateDir, vars, log: report });
  endWith(() => local.stop());
  const demo = await provisionDemo({
    port: local.port,
    baseDomain: local.vars["BASE_DOMAIN"] ?? "",
    platformKey: local.vars["PLATFORM_KEY"] ?? "",
    stateDir,
  });
  say(welcome(demo));
}

/** What a person at the terminal should see of the server's own words. */
function report(line: string): void {
  if (/^(Building|migrated:|mail:)/.test(line)) say(line);
  else if (/^(warn|error):/.test(line)) process.stderr.write(`${line}\n`);
}
