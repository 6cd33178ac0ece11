/**
 * What runs: the Worker bundled by wrangler's dry run, the console built by Vite, and the Worker's
 * options as Miniflare wants them. Built again only when a source has changed.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.ts";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export type Bundle = {
  /** Folder with `main.js`, further modules, and `options.json`. */
  readonly worker: string;
  /** Folder served by the ASSETS binding. */
  readonly assets: string;
};

const BUNDLE: Bundle = {
  worker: join(ROOT, "dist", "worker"),
  assets: join(ROOT, "web", "console", "dist"),
};

/** Offline and quiet. */
export const WRANGLER_ENV = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_LOG_SANITIZE: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
};

const CONSOLE_SOURCES = ["web", "clients", "core", "package-lock.json"];
const WORKER_SOURCES = [
  "workers",
  "durable-objects",
  "core",
  "wrangler.toml",
  "tsconfig.json",
  "package-lock.json",
  "tools/build.ts",
  "tools/worker-options.ts",
];

/**
 * The current bundle, built first when a source is newer than it. Several processes may ask at
 * once: one builds, and a finished bundle takes the old one's place by renaming.
 *
 * @param console  false leaves the console as it is, for runs that never open it
 */
export async function build(
  log: (line: string) => void = () => {},
  { console: withConsole = true } = {},
): Promise<Bundle> {
  const wanted = await sourceHashes();
  const fresh = async () =>
    (await stampOf(BUNDLE.worker)) === wanted.worker &&
    (withConsole ? await consoleFresh(wanted.console) : existsSync(BUNDLE.assets));
  if (await fresh()) return BUNDLE;
  return withLock(join(ROOT, "dist", "build.lock"), async () => {
    await mkdir(BUNDLE.assets, { recursive: true });
    if (withConsole && !(await consoleFresh(wanted.console))) {
      await buildConsole(wanted.console, log);
    }
    if ((await stampOf(BUNDLE.worker)) !== wanted.worker) await buildWorker(wanted.worker, log);
    return BUNDLE;
  });
}

async function buildConsole(hash: string, log: (line: string) => void): Promise<void> {
  log("Building the console …");
  const source = join(ROOT, "web", "console");
  await run("vite", ["build", "--logLevel", "error", "--emptyOutDir", source]);
  await mkdir(join(ROOT, "dist"), { recursive: true });
  await writeFile(join(ROOT, "dist", "console.stamp"), hash);
}

async function buildWorker(hash: string, log: (line: string) => void): Promise<void> {
  log("Building the Worker …");
  const fresh = join(ROOT, "dist", `.worker-${process.pid}`);
  const old = join(ROOT, "dist", `.old-${process.pid}`);
  await run("wrangler", ["deploy", "--dry-run", "--env", "", "--outdir", fresh]);
  await run("node", [join(ROOT, "tools", "worker-options.ts"), join(fresh, "options.json")]);
  await writeFile(join(fresh, "stamp"), hash);
  if (existsSync(BUNDLE.worker)) await rename(BUNDLE.worker, old);
  await rename(fresh, BUNDLE.worker);
  await rm(old, { recursive: true, force: true });
}

async function stampOf(folder: string): Promise<string | undefined> {
  return readFile(join(folder, "stamp"), "utf8").catch(() => undefined);
}

async function consoleFresh(hash: string): Promise<boolean> {
  const stamp = await readFile(join(ROOT, "dist", "console.stamp"), "utf8").catch(() => undefined);
  return stamp === hash && existsSync(join(BUNDLE.assets, "index.html"));
}

async function sourceHashes(): Promise<{ readonly worker: string; readonly console: string }> {
  const [worker, browser] = await Promise.all([
    hashOf(WORKER_SOURCES),
    hashOf([...CONSOLE_SOURCES, "tools/build.ts"]),
  ]);
  return { worker, console: browser };
}

/** SHA-256 over path and content of every file below `paths`; tests and built files left out. */
export async function hashOf(paths: readonly string[], root = ROOT): Promise<string> {
  const files = (await Promise.all(paths.map((path) => filesBelow(join(root, path))))).flat();
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    hash.update(relative(root, file)).update("\0");
    hash.update(await readFile(file).catch(() => "")).update("\0");
  }
  return hash.digest("hex");
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(
    (error: NodeJS.ErrnoException) => (error.code === "ENOTDIR" ? undefined : []),
  );
  if (entries === undefined) return [path];
  return entries
    .filter((entry) => entry.isFile() && !/\.test\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/\/(dist|node_modules)\//.test(file.slice(path.length)));
}

/** Run one of the project's own tools; its output is shown only when it fails. */
export async function run(tool: string, args: readonly string[]): Promise<void> {
  const bin = join(ROOT, "node_modules", ".bin");
  const child = spawn(tool === "node" ? process.execPath : join(bin, tool), [...args], {
    cwd: ROOT,
    // What is built is what is shipped, also when a test builds it.
    env: {
      ...process.env,
      ...WRANGLER_ENV,
      NODE_ENV: "production",
      PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | null>((settle, reject) => {
    child.on("error", reject);
    child.on("close", settle);
  });
  if (code !== 0) {
    throw new Error(`${tool} ${args.join(" ")} failed\n${Buffer.concat(output).toString().trim()}`);
  }
}
