/** Ties this process to the one that started it, and its end to what it runs. */
import { constants } from "node:os";

const CHECK_MS = 300;

/**
 * Call `stop` once and exit: on Ctrl-C, SIGTERM or SIGHUP, and when the parent is gone. A parent
 * killed by -9 can tell nobody; its child learns it from having another parent.
 */
export function endWith(stop: () => Promise<void>): void {
  const parent = process.ppid;
  let ending = false;
  const end = (code: number): void => {
    if (ending) return;
    ending = true;
    stop().then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Before Miniflare's own handler, which exits at once and would leave the state held.
    process.prependListener(signal, () => end(128 + constants.signals[signal]));
  }
  setInterval(() => process.ppid !== parent && end(1), CHECK_MS).unref();
}
