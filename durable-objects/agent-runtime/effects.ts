import type { Kernel } from "./kernel.ts";

/**
 * The one way a run reaches what is outside of it: every model, tool, look-up and upstream call
 * passes here, and nothing else does.
 *
 * What stands between two boundaries cannot be told apart after a crash, so these are all there are:
 * the step is in the journal as `sent` and nothing has left; the far side has answered, or has not,
 * and nothing of that is in the journal. A local test counts them and lets the object die at each.
 */
export async function perform<T>(
  { faults }: Pick<Kernel, "faults">,
  key: string,
  call: () => Promise<T>,
): Promise<T> {
  if (faults.watched) await faults.boundary(`${key} sent`);
  let answer: T;
  try {
    answer = await call();
  } catch (e) {
    if (faults.watched) await faults.boundary(`${key} unanswered`);
    throw e;
  }
  if (faults.watched) await faults.boundary(`${key} answered`);
  return answer;
}
