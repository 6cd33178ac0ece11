/** Servers under measurement, each the leader of a process group of its own that holds workerd. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** At most a twentieth of this busy counts as quiet. */
const QUIET_MS = 60;
const QUIET_LIMIT_MS = 3000;

/** What a server prints when it is ready, on one line. */
export type Ready = {
  readonly port: number;
  readonly workerdPid?: number;
  readonly platformKey?: string;
};

export type Server = {
  readonly port: number;
  readonly ready: Ready;
  /** Resident bytes of workerd, now. */
  rssBytes(): number;
  /** CPU time of workerd since its start, all threads. */
  cpuMs(): number;
  /** Resolves when workerd has finished what it does beside answering, 3 s at most. */
  quiet(): Promise<void>;
  /** Kill -9 of the whole group, nothing finished first. */
  kill(): Promise<void>;
  /** Ends it as Ctrl-C would. */
  stop(): Promise<void>;
};

/**
 * Run `node <script> <argument>` and wait for its line. Its own words appear only if it
 * fails to start, or all of them with BENCH_VERBOSE in the environment.
 */
export async function startServer(script: string, argument: object = {}): Promise<Server> {
  const child = spawn(process.execPath, [script, JSON.stringify(argument)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const words: string[] = [];
  child.stderr.on("data", (part: Buffer) => {
    words.push(part.toString());
    if (words.length > 50) words.shift();
    if (process.env["BENCH_VERBOSE"] !== undefined) process.stderr.write(part);
  });
  const ended = new Promise<void>((settle) => child.once("close", () => settle()));
  const line = await Promise.race([firstLine(child), ended]);
  if (line === undefined) throw new Error(`${script} ended before it was ready\n${words.join("")}`);
  const ready: Ready = JSON.parse(line);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    signalGroup(child, signal);
    await ended;
  };
  const pid = ready.workerdPid ?? child.pid ?? 0;
  return {
    port: ready.port,
    ready,
    rssBytes: () => rssBytes(pid),
    cpuMs: () => cpuMs(pid),
    quiet: () => quiet(pid),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  if (child.stdout === null) return undefined;
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    child.stdout.resume();
    return line;
  }
  return undefined;
}

/** A negative id names the group, which `detached` made its own: never this process's. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(signal === "SIGKILL" ? -child.pid : child.pid, signal);
}

function rssBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib ?? 0) * 1024;
}

function cpuMs(pid: number): number {
  let totalNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    totalNs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return totalNs / 1e6;
}

async function quiet(pid: number): Promise<void> {
  const untilMs = performance.now() + QUIET_LIMIT_MS;
  for (let before = cpuMs(pid); performance.now() < untilMs;) {
    await pause(QUIET_MS);
    const now = cpuMs(pid);
    if (now - before < QUIET_MS / 20) return;
    before = now;
  }
}
