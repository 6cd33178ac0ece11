/**
 * The chat socket's frames, JSON text each; docs/chat-protocol.md tells them as a whole.
 *
 * A session's events come in one order, turn after turn. `seq` of an event frame names its place
 * in that order; `resume` with the last one seen continues after it, without gap or repetition.
 */
import { z } from "zod";
import { problemDocument, type ProblemData } from "../problem.ts";

/** Longest frame a client may send, in bytes of UTF-8. */
export const FRAME_LIMIT_BYTES = 1024 * 1024;

export const ClientFrame = z.discriminatedUnion("type", [
  /** Say something. `id` makes it safe to send again: the same id is the same turn. */
  z.strictObject({
    type: z.literal("message"),
    id: z.string().min(1).max(200).optional(),
    text: z.string().min(1),
  }),
  /** Continue after the event `seq`; 0 from the session's beginning. */
  z.strictObject({ type: z.literal("resume"), seq: z.int().min(0) }),
  z.strictObject({ type: z.literal("cancel"), invocation_id: z.string().max(80) }),
  z.strictObject({ type: z.literal("ping") }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

export type ServerFrame =
  /** First frame. `seq`: the events that follow are those after it. */
  | { readonly type: "ready"; readonly session_id: string; readonly seq: number }
  /** Answer to `resume`: events sent before this frame are of the old place, later ones of the new. */
  | { readonly type: "resumed"; readonly seq: number }
  /** The message with this `id` is a turn now; `replayed` when it was one already. */
  | {
      readonly type: "accepted";
      readonly id: string | null;
      readonly invocation_id: string;
      readonly replayed: boolean;
    }
  | {
      readonly type: "event";
      readonly seq: number;
      readonly invocation_id: string;
      readonly event: string;
      readonly data: Readonly<Record<string, unknown>>;
    }
  /** A frame was refused and nothing was done; the socket stays open. `id`: that of the frame. */
  | { readonly type: "refused"; readonly id: string | null; readonly problem: FrameProblem }
  | { readonly type: "pong" };

/** A problem document (RFC 9457) with what the header `Retry-After` says elsewhere. */
type FrameProblem = ReturnType<typeof problemDocument> & { readonly retry_after_ms?: number };

/** The frame that refuses the one with `id`. */
export function refusedFrame(
  id: string | null,
  problem: ProblemData,
  requestId: string,
): ServerFrame {
  const { retryAfterMs } = problem;
  const wait = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
  return { type: "refused", id, problem: { ...problemDocument(problem, requestId), ...wait } };
}

/** Why a socket is closed by us (4000–4999 is the application's range, RFC 6455 §7.4.2). */
export const CLOSE = {
  not_text: 1003,
  too_large: 1009,
  /** The credential cannot be checked now: come back and resume. */
  unchecked: 1013,
  credential: 4401,
  suspended: 4403,
  /** The agent is no longer live in this environment. */
  gone: 4404,
  too_fast: 4429,
} as const;

/** A place in a session: the turn, and the number of the last event seen in it. */
export type Place = { readonly turn: number; readonly seq: number };

/** No invocation has as many events: its run's steps and its answer's size are bounded. */
const EVENTS_PER_TURN = 1_000_000;

/** A place as the one number clients keep. */
export function seqOf(place: Place): number {
  return place.turn * EVENTS_PER_TURN + place.seq;
}

export function placeOf(seq: number): Place {
  return { turn: Math.floor(seq / EVENTS_PER_TURN), seq: seq % EVENTS_PER_TURN };
}
