/** Servers under measurement, each the leader of a process group of its own that holds workerd. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

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
  /** Kill -9 of the whole group, nothing finished first. */
  kill(): Promise<void>;
  /** Ends it as Ctrl-C would. */
  stop(): Promise<void>;
};

/** Run `node <script> <argument>` and wait for its line. Its own words appear only if it fails. */
export async function startServer(script: string, argument: object = {}): Promise<Server> {
  const child = spawn(process.execPath, [script, JSON.stringify(argument)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const words: string[] = [];
  child.stderr.on("data", (part: Buffer) => {
    words.push(part.toString());
    if (words.length > 50) words.shift();
  });
  const ended = new Promise<void>((settle) => child.once("close", () => settle()));
  const line = await Promise.race([firstLine(child), ended]);
  if (line === undefined) throw new Error(`${script} ended before it was ready\n${words.join("")}`);
  const ready: Ready = JSON.parse(line);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    signalGroup(child, signal);
    await ended;
  };
  return {
    port: ready.port,
    ready,
    rssBytes: () => rssBytes(ready.workerdPid ?? child.pid ?? 0),
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
