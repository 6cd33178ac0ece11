/**
 * `npm run check`: the one gate. Stops at the first failure and says why. `--without-tests` leaves
 * the tests out, for a caller that has just run them.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, ROOT, WRANGLER_ENV } from "./build.ts";

type Gate = { readonly name: string; readonly tool: string; readonly args: readonly string[] };

const BUNDLES = join(ROOT, "dist", "check");
const CONSOLE = "web/console/tsconfig.json";

const GATES: readonly Gate[] = [
  {
    name: "generated types",
    tool: "wrangler",
    args: ["types", "--check", "--include-runtime=false", "--strict-vars=false"],
  },
  { name: "types", tool: "tsc", args: ["-p", "."] },
  { name: "types of the console", tool: "tsc", args: ["-p", CONSOLE] },
  { name: "lint", tool: "oxlint", args: ["--deny-warnings"] },
  { name: "format", tool: "oxfmt", args: ["--check", "."] },
  { name: "dead code", tool: "knip", args: [] },
  {
    name: "bundle, default environment",
    tool: "wrangler",
    args: ["deploy", "--dry-run", "--env", "", "--outdir", join(BUNDLES, "default")],
  },
  {
    name: "bundle, production",
    tool: "wrangler",
    args: ["deploy", "--dry-run", "--env", "production", "--outdir", join(BUNDLES, "production")],
  },
];

const started = performance.now();
await build();
for (const gate of GATES) {
  if (gate.args.includes(CONSOLE) && !existsSync(join(ROOT, CONSOLE))) continue;
  pass(gate);
}
if (!process.argv.includes("--without-tests")) test();
process.stdout.write(`All gates passed in ${seconds(started)}.\n`);

function pass({ name, tool, args }: Gate): void {
  const from = performance.now();
  const done = spawnSync(join(ROOT, "node_modules", ".bin", tool), args, {
    cwd: ROOT,
    env: { ...process.env, ...WRANGLER_ENV },
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const passed = done.status === 0;
  process.stdout.write(`${passed ? "passed" : "FAILED"}  ${name}  ${seconds(from)}\n`);
  if (passed) return;
  process.stdout.write(`\n${tool} ${args.join(" ")}\n${done.stdout}${done.stderr}\n`);
  process.exit(1);
}

function test(): void {
  const done = spawnSync(process.execPath, [join(ROOT, "tools", "test.ts")], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (done.status !== 0) process.exit(1);
}

function seconds(fromMs: number): string {
  return `${((performance.now() - fromMs) / 1000).toFixed(1)} s`;
}
