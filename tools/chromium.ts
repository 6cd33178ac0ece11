/** Where the browser of the browser tests is. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

export const HOW_TO_GET_CHROMIUM =
  "No Chromium found, so the browser tests are skipped: apt-get install chromium, or set CHROMIUM to its path.";

/** Path of a Chromium: what CHROMIUM says, else the first in PATH. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = env["CHROMIUM"];
  if (given !== undefined && given !== "") return executable(given) ? given : undefined;
  const folders = (env["PATH"] ?? "").split(delimiter);
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(executable);
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
