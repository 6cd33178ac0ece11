import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

const LOCK = { packages: { "": {}, "node_modules/a": { version: "1.0.0", integrity: "x" } } };

/** In npm's place: makes node_modules as `npm ci` would, slowly, and keeps count. */
const FAKE_NPM = `
import { appendFileSync, cpSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
appendFileSync("npm.log", process.argv.slice(2).join(" ") + "\\n");
rmSync("node_modules", { recursive: true, force: true });
await new Promise((wake) => setTimeout(wake, 200));
mkdirSync("node_modules/node/bin", { recursive: true });
// The npm of a killed command goes on beside the next one's.
try { symlinkSync(process.execPath, "node_modules/node/bin/node"); } catch {}
cpSync("package-lock.json", "node_modules/.package-lock.json");
`;

let root = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "berth run "));
  onTestFinished(async () => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, "tools"));
  await copyFile(join(import.meta.dirname, "run.mjs"), join(root, "tools", "run.mjs"));
  await writeFile(join(root, "package.json"), '{"type":"module"}');
  await writeFile(join(root, "package-lock.json"), JSON.stringify(LOCK));
  await mkdir(join(root, "bin"));
  await writeFile(join(root, "bin", "npm.js"), FAKE_NPM);
});

async function write(name: string, code: string): Promise<string> {
  await writeFile(join(root, "tools", name), code);
  return `tools/${name}`;
}

function start(file: string, args: readonly string[] = []) {
  const child = spawn(process.execPath, [join(root, "tools", "run.mjs"), file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, npm_execpath: join(root, "bin", "npm.js"), NODE_ENV: "production" },
  });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
  const lines = createInterface({ input: child.stdout });
  const exit = once(child, "close").then(([code]): number | null => code);
  return { child, lines, said, exit };
}

async function installs(): Promise<readonly string[]> {
  const log = await readFile(join(root, "npm.log"), "utf8").catch(() => "");
  return log.split("\n").filter((line) => line !== "");
}

describe("run.mjs", { timeout: 60_000 }, () => {
  it("installs once for two commands started together, dev dependencies too", async () => {
    const file = await write("ok.ts", "const code: number = 7;\nprocess.exit(code);");
    const [one, two] = [start(file), start(file)];
    expect(await Promise.all([one.exit, two.exit])).toEqual([7, 7]);
    expect(await installs()).toEqual([expect.stringContaining("ci --include=dev")]);
    expect([...one.said, ...two.said]).toEqual([
      "Installing the packages of package-lock.json with npm ci …",
    ]);
    const third = start(file);
    expect(await third.exit).toBe(7);
    expect(third.said).toEqual([]);
  });

  it("installs again when the lock has changed", async () => {
    const file = await write("ok.ts", "");
    await start(file).exit;
    const changed = structuredClone(LOCK);
    changed.packages["node_modules/a"].version = "1.0.1";
    await writeFile(join(root, "package-lock.json"), JSON.stringify(changed));
    await start(file).exit;
    expect(await installs()).toHaveLength(2);
  });

  it("takes over from an install whose process died", async () => {
    const dead = start(await write("never.ts", ""));
    await once(createInterface({ input: dead.child.stderr }), "line"); // the install has begun
    dead.child.kill("SIGKILL");
    await dead.exit;
    const next = start(await write("ok.ts", "process.exit(3);"));
    expect(await next.exit).toBe(3);
  });

  it("passes arguments, signals and the project's own tools on", async () => {
    const file = await write(
      "wait.ts",
      `process.on("SIGTERM", () => process.exit(42));
       console.log(JSON.stringify([process.argv.slice(2), process.env.PATH]));
       setInterval(() => {}, 1000);`,
    );
    const { child, lines, exit } = start(file, ["a b", "--c"]);
    const [line] = await once(lines, "line");
    const [args, path]: [string[], string] = JSON.parse(String(line));
    expect(args).toEqual(["a b", "--c"]);
    expect(path.startsWith(join(root, "node_modules", ".bin"))).toBe(true);
    child.kill("SIGTERM");
    expect(await exit).toBe(42);
  });

  it("answers like the shell when the program was ended by a signal", async () => {
    const { exit } = start(await write("die.ts", 'process.kill(process.pid, "SIGKILL");'));
    expect(await exit).toBe(137);
  });

  it("says why when the install fails", async () => {
    await writeFile(join(root, "bin", "npm.js"), 'console.error("EUSAGE"); process.exit(1);');
    const { exit, said } = start(await write("ok.ts", ""));
    expect(await exit).toBe(1);
    expect(said.slice(1)).toEqual(["EUSAGE", "npm ci failed; its reason stands above."]);
  });
});
