/**
 * The chat socket's frames, JSON text each.
 *
 * A session's events come in one order, turn after turn. `seq` of an event frame names its place
 * in that order; `resume` with the last one seen continues after it, without gap or repetition.
 */
import { z } from "zod";
import type { ProblemData } from "../problem.ts";

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
  z.strictObject({ type: z.literal("resume"), seq: z.number().int().min(0) }),
  z.strictObject({ type: z.literal("cancel"), invocation_id: z.string().max(80) }),
  z.strictObject({ type: z.literal("ping") }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

export type ServerFrame =
  /** First frame. `seq`: where this socket begins; resume from your own last one instead, if later frames are known. */
  | { readonly type: "ready"; readonly session_id: string; readonly seq: number }
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
  /** A frame was refused; the socket stays open. */
  | { readonly type: "refused"; readonly id: string | null; readonly problem: ProblemData }
  | { readonly type: "pong" };

/** Why a socket is closed by us (4000–4999 is the application's range, RFC 6455 §7.4.2). */
export const CLOSE = {
  credential: 4401,
  too_large: 1009,
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
