/** Which requirements a run of the tests has proved, from the names of the tests that passed. */
import type { REQUIREMENTS } from "./requirements.ts";

/** `F43` in any name, alone or in a list such as `F43, F44:`; `F4` is not in `F43`. */
const NUMBER = /(?<![A-Za-z0-9])F[1-9][0-9]{0,2}(?![A-Za-z0-9])/g;

/** The requirement numbers in the names of tests. */
export function provedBy(names: Iterable<string>): ReadonlySet<string> {
  const proved = new Set<string>();
  for (const name of names) for (const [id] of name.matchAll(NUMBER)) proved.add(id);
  return proved;
}

export type Coverage = {
  /** Claimed `done`, in the name of no test that passed. */
  readonly unproved: readonly string[];
  /** In a test's name, in no list: a slip of the pen. */
  readonly unknown: readonly string[];
  /** Proved though still `planned`: the list may be brought up to date. */
  readonly unclaimed: readonly string[];
};

export function coverageOf(requirements: typeof REQUIREMENTS, names: Iterable<string>): Coverage {
  const proved = provedBy(names);
  const entries = Object.entries(requirements);
  return {
    unproved: entries.filter(([id, [state]]) => state === "done" && !proved.has(id)).map(first),
    unknown: [...proved].filter((id) => !(id in requirements)),
    unclaimed: entries.filter(([id, [state]]) => state === "planned" && proved.has(id)).map(first),
  };
}

function first([id]: readonly [string, unknown]): string {
  return id;
}
