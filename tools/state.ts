/** The one folder that holds everything a local server keeps. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alive } from "./lock.ts";

/** Names the folder as ours; `reset` deletes nothing without it. */
const MARKER = "berth-state";
const HOLDER = "server.json";

type Holder = { readonly pid: number; readonly startedAt: string | undefined };

/** Make the folder when it is absent. @throws StateError when it holds other people's files. */
export function openState(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const entries = readdirSync(folder);
  if (entries.includes(MARKER)) return;
  if (entries.length > 0) throw new StateError(`${folder} holds files that are not Berth's`);
  writeFileSync(join(folder, MARKER), "Kept by Berth; npm run reset empties this folder.\n");
}

/** Two servers on one state would corrupt it. @throws StateError while another one lives. */
export function holdState(folder: string): void {
  const holder = holderOf(folder);
  if (holder !== undefined) {
    throw new StateError(`${folder} is in use by another server (process ${holder.pid})`);
  }
  const me: Holder = { pid: process.pid, startedAt: startOf(process.pid) };
  writeFileSync(join(folder, HOLDER), JSON.stringify(me));
}

/** Idempotent, and harmless once another process holds the folder. */
export function releaseState(folder: string): void {
  if (holderOf(folder)?.pid === process.pid) rmSync(join(folder, HOLDER), { force: true });
}

/** Delete everything in the folder. @throws StateError when it is not ours, or in use. */
export function emptyState(folder: string): void {
  let entries: readonly string[];
  try {
    entries = readdirSync(folder);
  } catch {
    return;
  }
  if (entries.length === 0) return;
  if (!entries.includes(MARKER)) throw new StateError(`${folder} is not a state folder of Berth`);
  const holder = holderOf(folder);
  if (holder !== undefined) {
    throw new StateError(`${folder} is in use by a running server (process ${holder.pid})`);
  }
  // The marker goes last: a reset that was cut short can be done again.
  for (const entry of entries.filter((name) => name !== MARKER)) {
    rmSync(join(folder, entry), { recursive: true, force: true });
  }
  rmSync(join(folder, MARKER), { force: true });
}

export class StateError extends Error {
  override readonly name = "StateError";
}

/** A pid alone is not enough: after a reboot it belongs to somebody else. */
function holderOf(folder: string): Holder | undefined {
  try {
    const holder: Holder = JSON.parse(readFileSync(join(folder, HOLDER), "utf8"));
    return alive(holder.pid) && startOf(holder.pid) === holder.startedAt ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** When the process started, in ticks since boot; undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "defunct" : fields[19];
  } catch {
    return undefined;
  }
}
