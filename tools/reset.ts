/** `npm run reset`: forget everything the local server keeps. */
import { resolve } from "node:path";
import { ROOT } from "./build.ts";
import { settingsOf } from "./settings.ts";
import { emptyState } from "./state.ts";

const folder = resolve(ROOT, settingsOf(process.env, ROOT)["STATE_DIR"] ?? ".berth");
try {
  emptyState(folder);
  process.stdout.write(`${folder} is empty.\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
