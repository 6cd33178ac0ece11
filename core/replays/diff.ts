import type { Invocation, Step } from "../invocations/contract.ts";
import { canonical } from "../json/canonical.ts";
import type { Diff, DiffStep, DiffText } from "./contract.ts";

/** A run as the routes answer it. */
export type Compared = { readonly invocation: Invocation; readonly steps: readonly Step[] };

/** Characters of a text that are shown; what differs behind them is still told as different. */
const SHOWN = 4000;

/** Two runs side by side: steps are paired by their keys, in the order of the run. */
export function diffRuns(from: Compared, to: Compared): Diff {
  const [a, b] = [from.invocation, to.invocation];
  const steps = pairs(from.steps, to.steps).map(([was, is]) => diffStep(was, is));
  const input = diffText(canonical(a.input), canonical(b.input));
  const output = diffText(a.output && canonical(a.output), b.output && canonical(b.output));
  const error = diffText(a.error && canonical(a.error), b.error && canonical(b.error));
  const first = steps.find(({ change }) => change !== "same");
  return {
    from: sideOf(a),
    to: sideOf(b),
    same: first === undefined && input.same && output.same && error.same,
    first_difference: first?.key ?? null,
    input,
    output: { ...output, from: cut(a.output?.text), to: cut(b.output?.text) },
    error,
    steps,
    cost_micros_change: b.cost_micros - a.cost_micros,
    input_tokens_change: b.usage.input_tokens - a.usage.input_tokens,
    output_tokens_change: b.usage.output_tokens - a.usage.output_tokens,
  };
}

function sideOf(of: Invocation): Diff["from"] {
  const { id, agent, environment, version, status, cost_micros, cost_usd } = of;
  const { input_tokens, output_tokens } = of.usage;
  const { created_at, completed_at } = of;
  const money = { cost_micros, cost_usd };
  const tokens = { input_tokens, output_tokens };
  return { id, agent, environment, version, status, ...tokens, ...money, created_at, completed_at };
}

type Pair = readonly [Step | undefined, Step | undefined];

/** Each key once: those of `from` in their order, and what only `to` has where it stands there. */
function pairs(from: readonly Step[], to: readonly Step[]): readonly Pair[] {
  const added = new Map(to.map((step) => [step.key, step]));
  const paired: Pair[] = [];
  let next = 0;
  for (const was of from) {
    const is = added.get(was.key);
    if (is) {
      for (; to[next] !== undefined && to[next] !== is; next += 1) {
        const only = to[next];
        if (only && added.delete(only.key)) paired.push([undefined, only]);
      }
      next += 1;
      added.delete(was.key);
    }
    paired.push([was, is]);
  }
  for (const only of added.values()) paired.push([undefined, only]);
  return paired;
}

function diffStep(was: Step | undefined, is: Step | undefined): DiffStep {
  const texts = {
    name: diffText(was?.name ?? null, is?.name ?? null),
    state: diffText(was?.state ?? null, is?.state ?? null),
    input: diffText(told(was?.input), told(is?.input)),
    output: diffText(said(was), said(is)),
  };
  const names = ["name", "state", "input", "output"] as const;
  const differs = names.filter((name) => !texts[name].same);
  const both = differs.length === 0 ? "same" : "changed";
  return {
    key: was?.key ?? is?.key ?? "",
    kind: was?.kind ?? is?.kind ?? "",
    change: was === undefined ? "added" : is === undefined ? "removed" : both,
    differs,
    ...texts,
    cost_micros: { from: was?.cost_micros ?? null, to: is?.cost_micros ?? null },
  };
}

/** What a step gave, without what only counts it: two calls that say the same are the same. */
function said(step: Step | undefined): string | null {
  const output = step?.output as Readonly<Record<string, unknown>> | null | undefined;
  const answer = output?.["answer"] as Readonly<Record<string, unknown>> | undefined;
  if (answer === undefined) return told(output);
  const { usage: _usage, model: _model, ...words } = answer;
  return canonical(words);
}

function told(value: unknown): string | null {
  return value === undefined || value === null ? null : canonical(value);
}

function diffText(from: string | null, to: string | null): DiffText {
  return { same: from === to, from: cut(from), to: cut(to) };
}

function cut(text: string | null | undefined): string | null {
  return text?.slice(0, SHOWN) ?? null;
}
