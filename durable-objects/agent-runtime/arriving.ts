/**
 * What the columns of an agent's object hold, where their type does not tell: a file is not trusted,
 * and content that is none would be a defect for whoever reads it, long after the import. What is
 * sealed, or stands in chunks, cannot be looked into here.
 */
import { z } from "zod";
import { InvocationStatus, InvokeBody, Output } from "../../core/invocations/contract.ts";
import { parseJsonText } from "../../core/json/text.ts";
import { isSealed } from "./content.ts";
import type { ObjectRow } from "./contract.ts";

const Fault = z.object({ code: z.string(), detail: z.string() });
const Thing = z.record(z.string(), z.unknown());
/** An event, or the place of one that was dropped. */
const Events = z.array(z.union([z.null(), z.tuple([z.string(), Thing])]));

/** Of JSON that stands behind `=`. */
const PACKED: Readonly<Record<string, z.ZodType>> = {
  "invocation.input": z.union([InvokeBody.shape.input, Thing]),
  "invocation.output": Output,
  "invocation.opening": Events,
  "invocation.closing": Events,
  "invocation.first_output": Thing,
  "step.input": z.unknown(),
  "step.output": Thing,
  "event.body": Events,
  "approval.input": z.unknown(),
  "approval.votes": z.array(Thing),
};

/** Of JSON that is the column. */
const PLAIN: Readonly<Record<string, z.ZodType>> = {
  "invocation.error": Fault,
  "invocation.metadata": z.record(z.string(), z.string()),
  "invocation.first": z.looseObject({ state: z.string(), name: z.string() }),
  "invocation.branch": z.looseObject({ from: z.string() }),
  "approval.rule": Thing,
};

/** Is what the row's text columns hold what its readers expect? */
export function isReadable({ table, row }: ObjectRow): boolean {
  if (table === "invocation" && !InvocationStatus.safeParse(row["status"]).success) return false;
  return Object.entries(row).every(([column, value]) => {
    if (typeof value !== "string" || isSealed(value)) return true;
    const name = `${table}.${column}`;
    const [packed, plain] = [PACKED[name], PLAIN[name]];
    if (plain !== undefined) return fits(plain, value);
    if (packed === undefined || value.startsWith("@")) return true;
    return value.startsWith("=") && fits(packed, value.slice(1));
  });
}

function fits(shape: z.ZodType, text: string): boolean {
  try {
    return shape.safeParse(parseJsonText(text, "column")).success;
  } catch {
    return false;
  }
}
