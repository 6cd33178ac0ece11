/**
 * The way into every npm script, on a machine that has only git, Node ≥ 20 and npm.
 *
 *     node tools/run.mjs tools/start.ts [arguments]
 *
 * 1  install what package-lock.json says, when node_modules does not hold exactly that
 * 2  run the given file under the project's own Node, with node_modules/.bin first in PATH
 * 3  pass signals on, keep the exit code, leave nothing running
 *
 * Plain JavaScript without a dependency: it runs before there are any, under the system's Node.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  linkSync,
} from "node:fs";
import { constants, tmpdir, userInfo } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE = join(ROOT, "node_modules", "node", "bin", "node");
const WAIT_MS = 300;

/** Does node_modules hold exactly what package-lock.json says? npm's own record answers. */
export function installed(root = ROOT) {
  if (!existsSync(join(root, "node_modules", "node", "bin", "node"))) return false;
  const wanted = readPackages(join(root, "package-lock.json"));
  const present = readPackages(join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined || present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const found = present[path];
    // Packages for other platforms are in the lock and rightly absent here.
    if (found === undefined && (entry.optional || entry.devOptional)) continue;
    if (found?.version !== entry.version || found?.integrity !== entry.integrity) return false;
  }
  return Object.keys(present).every((path) => path in wanted);
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * Install under a lock, so that two commands started at once do not delete each other's
 * node_modules; the second finds the work done. `npm ci` empties the folder, so the lock is outside.
 */
async function install() {
  const name = createHash("sha256").update(ROOT).digest("hex").slice(0, 16);
  const lock = join(tmpdir(), `berth-install-${userInfo().uid}-${name}.lock`);
  while (!take(lock)) await new Promise((wake) => setTimeout(wake, WAIT_MS));
  try {
    if (!installed()) npmCi();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** A lock is a hard link to a file that already names its holder: never seen half written. */
function take(lock) {
  const folder = mkdtempSync(join(tmpdir(), "berth-lock-"));
  try {
    const claim = join(folder, "pid");
    writeFileSync(claim, String(process.pid));
    linkSync(claim, lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    dropIfHolderDied(lock, folder);
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Renaming first means that of two waiters one removes the dead lock and none a live one. */
function dropIfHolderDied(lock, folder) {
  try {
    if (alive(Number(readFileSync(lock, "utf8")))) return;
    const dead = join(folder, "dead");
    renameSync(lock, dead);
    const holder = Number(readFileSync(dead, "utf8"));
    if (alive(holder)) linkSync(dead, lock);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function npmCi() {
  process.stderr.write("Installing the packages of package-lock.json with npm ci …\n");
  // The caller may have asked npm for a production install; the toolchain is a dev dependency.
  const args = ["ci", "--include=dev", "--ignore-scripts=false", "--no-audit", "--no-fund"];
  const npm = process.env.npm_execpath;
  const [command, first] =
    npm !== undefined && /\.c?js$/.test(npm) ? [process.execPath, [npm]] : ["npm", []];
  const done = spawnSync(command, [...first, ...args, "--loglevel=error"], {
    cwd: ROOT,
    env: withoutLifecycle(process.env),
    stdio: ["ignore", 2, 2],
  });
  if (done.error) fail(`npm could not be started: ${done.error.message}`);
  if (done.status !== 0) fail("npm ci failed; its reason stands above.");
  if (!installed()) fail("npm ci ran, yet node_modules does not match package-lock.json.");
}

/** Inside `npm start`, npm describes the running script to its children; the install is not it. */
function withoutLifecycle(env) {
  const refused =
    /^npm_(lifecycle_|package_|command$|config_(prefix|local_prefix|global_prefix|global|dry_run|omit|production)$)/i;
  const kept = Object.entries(env).filter(([name]) => !refused.test(name) && name !== "NODE_ENV");
  return Object.fromEntries(kept);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function run(file, args) {
  const child = spawn(NODE, [resolve(ROOT, file), ...args], {
    cwd: ROOT,
    stdio: "inherit",
    env: {
      ...process.env,
      PATH: `${join(ROOT, "node_modules", ".bin")}${delimiter}${process.env.PATH ?? ""}`,
    },
  });
  // A terminal's Ctrl-C reaches the whole foreground group, the child too: not sent twice.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGHUP", () => child.kill("SIGHUP"));
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), WAIT_MS).unref();
  }
  child.on("error", (error) => fail(`${file} could not be started: ${error.message}`));
  child.on("exit", (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (file === undefined) fail("usage: node tools/run.mjs <file> [arguments]");
  if (!installed()) await install();
  run(file, args);
}
