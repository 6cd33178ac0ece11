import type { z } from "zod";
import { escapePointer, parseJsonText } from "../../core/json/text.ts";
import { Problem, refuse, type ProblemData, type ProblemPlace } from "../../core/problem.ts";
import { ClientFrame, FRAME_LIMIT_BYTES } from "../../core/sessions/frames.ts";

export type ParsedFrame =
  | { readonly ok: true; readonly frame: ClientFrame }
  /** `id`: what the refused frame called itself, as far as that can be told. */
  | { readonly ok: false; readonly id: string | null; readonly problem: ProblemData };

const PLACES_NAMED = 20;

/** Text of a client to its frame, under the rules every JSON body is held to. */
export function parseFrame(text: string): ParsedFrame {
  let json: unknown;
  try {
    json = parseJsonText(text, "frame");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ok: false, id: null, problem: error.data };
  }
  const parsed = ClientFrame.safeParse(json);
  if (parsed.success) return { ok: true, frame: parsed.data };
  const errors = parsed.error.issues.flatMap(placesOf).slice(0, PLACES_NAMED);
  const { problem } = refuse("invalid", "the frame does not fit its schema", { errors });
  return { ok: false, id: idOf(json), problem };
}

/** At most `FRAME_LIMIT_BYTES` of UTF-8; counted only when its length leaves a doubt. */
export function fits(text: string): boolean {
  if (text.length <= FRAME_LIMIT_BYTES / 3) return true;
  if (text.length > FRAME_LIMIT_BYTES) return false;
  return new TextEncoder().encode(text).length <= FRAME_LIMIT_BYTES;
}

function idOf(json: unknown): string | null {
  if (typeof json !== "object" || json === null || !("id" in json)) return null;
  return typeof json.id === "string" && json.id.length <= 200 ? json.id : null;
}

function placesOf(issue: z.core.$ZodIssue): readonly ProblemPlace[] {
  if (issue.code !== "unrecognized_keys") return [placeOf(issue.path, issue.message)];
  return issue.keys.map((key) => placeOf([...issue.path, key], "unknown field"));
}

function placeOf(path: readonly PropertyKey[], detail: string): ProblemPlace {
  const pointer = path.map((part) => `/${escapePointer(String(part))}`).join("");
  return { pointer: pointer.slice(0, 200), detail };
}
