/** Reads a CPU profile: who spends the time, alone and together with what it calls. */
import type { Profile } from "./inspector.ts";

export type Frame = Profile["nodes"][number]["callFrame"];

export type Share = { readonly name: string; readonly us: number };

/** Self time summed by name, most first. */
export function selfTime(profile: Profile, nameOf: (frame: Frame) => string): readonly Share[] {
  const self = selfById(profile);
  const total = new Map<string, number>();
  for (const { id, callFrame } of profile.nodes) {
    add(total, nameOf(callFrame), self.get(id) ?? 0);
  }
  return sorted(total);
}

/** Time with callees, most first; a name below itself is counted once. */
export function totalTime(profile: Profile, nameOf: (frame: Frame) => string): readonly Share[] {
  const self = selfById(profile);
  const parents = new Map<number, number>();
  for (const { id, children = [] } of profile.nodes) {
    for (const child of children) parents.set(child, id);
  }
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const total = new Map<string, number>();
  for (const [leaf, us] of self) {
    const stack = new Set<string>();
    for (let at: number | undefined = leaf; at !== undefined; at = parents.get(at)) {
      stack.add(names.get(at) ?? "");
    }
    for (const name of stack) add(total, name, us);
  }
  return sorted(total);
}

/**
 * Names places by source module. The bundle carries each module's path in a comment above it, so
 * nothing else is needed to tell where a line came from.
 */
export class Places {
  readonly #modules: readonly string[];

  constructor(bundle: string) {
    let current = "";
    this.#modules = bundle.split("\n").map((line) => {
      const named = /^\s*\/\/ (\S+\.(?:[cm]?[jt]sx?|json|wasm))$/.exec(line)?.[1];
      if (named !== undefined) current = named.replace(/^(\.\.\/)+/, "");
      return current;
    });
  }

  functionOf(frame: Frame): string {
    const name = frame.functionName || "(anonymous)";
    return frame.url === "" ? name : `${name}  ${this.#source(frame)}:${frame.lineNumber + 1}`;
  }

  /** A package counts as one module, each function of the runtime as itself. */
  moduleOf(frame: Frame): string {
    if (frame.url === "") return `${frame.functionName || "(anonymous)"}  (runtime)`;
    const source = this.#source(frame);
    return /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? source;
  }

  #source(frame: Frame): string {
    // Frames of the runtime's own modules have addresses of their own.
    const ours = frame.url.endsWith("main.js") ? this.#modules[frame.lineNumber] : undefined;
    return ours === undefined || ours === "" ? frame.url : ours;
  }
}

function selfById(profile: Profile): ReadonlyMap<number, number> {
  const self = new Map<number, number>();
  for (const [at, id] of profile.samples.entries()) {
    self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0));
  }
  return self;
}

function add(total: Map<string, number>, name: string, us: number): void {
  total.set(name, (total.get(name) ?? 0) + us);
}

function sorted(total: ReadonlyMap<string, number>): readonly Share[] {
  return [...total].map(([name, us]) => ({ name, us })).sort((a, b) => b.us - a.us);
}
