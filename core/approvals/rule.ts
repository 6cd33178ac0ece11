import type { ApprovalCondition, ApprovalRule } from "./contract.ts";

/** Do these arguments call for a decision? Absent conditions mean that all do. */
export function needsApproval({ when }: Pick<ApprovalRule, "when">, args: unknown): boolean {
  return when === undefined || when.some((condition) => holds(condition, args));
}

function holds({ argument, op, value = null }: ApprovalCondition, args: unknown): boolean {
  const found = at(args, argument);
  if (op === "exists") return found !== undefined;
  if (found === undefined) return true;
  if (op === "equals") return found === value;
  if (op === "not_equals") return found !== value;
  // Not comparable: a person looks, because a rule that cannot be asked must not let through.
  if (typeof found !== "number" || typeof value !== "number") return true;
  if (op === "above") return found > value;
  if (op === "at_least") return found >= value;
  return op === "below" ? found < value : found <= value;
}

function at(value: unknown, pointer: string): unknown {
  let here = value;
  for (const part of pointer.slice(1).split("/")) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, name)) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[name]; // an own property of an object
  }
  return here;
}
