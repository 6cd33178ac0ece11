/** One holder at a time among processes of this machine. */
import { link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const RETRY_MS = 100;

/**
 * Do `work` while holding the lock file; waits for a living holder, takes over from a dead one.
 * The lock is a hard link to a file that already names its holder, so it is never half written.
 */
export async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lock), { recursive: true });
  while (!(await take(lock))) await pause(RETRY_MS);
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

async function take(lock: string): Promise<boolean> {
  const folder = await mkdtemp(join(dirname(lock), ".lock-"));
  try {
    const claim = join(folder, "pid");
    await writeFile(claim, String(process.pid));
    await link(claim, lock);
    return true;
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    await dropIfHolderDied(lock, join(folder, "dead"));
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Renaming first: of two waiters one removes the dead lock, and a live one is put back. */
async function dropIfHolderDied(lock: string, dead: string): Promise<void> {
  try {
    if (alive(Number(await readFile(lock, "utf8")))) return;
    await rename(lock, dead);
    if (alive(Number(await readFile(dead, "utf8")))) await link(dead, lock);
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "EEXIST")) throw error;
  }
}

/** Is there a process of this id? One that is not ours counts. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}

/** Is this the system's error of that code, such as `EEXIST`? */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
