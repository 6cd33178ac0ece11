import { terminal, type InvocationEvent } from "../../core/invocations/contract.ts";
import { readEvents } from "./events.ts";
import {
  findInvocation,
  onWire,
  withoutContent,
  type InvocationRow,
  type Naming,
} from "./invocations.ts";
import type { Kernel } from "./kernel.ts";
import { pieces, streamOf } from "./text.ts";

/** Comments that keep an idle stream's connection open. */
const HEARTBEAT_MS = 15_000;
/** Rows of the log read ahead of a reader. */
const ROWS_AT_ONCE = 16;
/** Above this the terminal event leaves `input` and `output` to be read: the stream has said them. */
const WHOLE_UNITS = 64 * 1024;

/**
 * An invocation's events after number `after` as SSE bytes, live until the terminal one.
 *
 * The stream is a view of the log: each pull hands over one piece and reads on only when the last
 * one was taken, so a slow reader holds one event at most, and a resumed one misses and repeats
 * nothing (G15).
 */
export function eventStream(
  kernel: Kernel,
  invocationId: string,
  after: number,
  naming: () => Naming,
): ReadableStream<Uint8Array> {
  return streamOf(follow(kernel, invocationId, after, naming));
}

async function* follow(
  kernel: Kernel,
  invocationId: string,
  after: number,
  naming: () => Naming,
): AsyncGenerator<Uint8Array, void> {
  let seen = after;
  for (;;) {
    const events = readEvents(kernel.sql, invocationId, seen, ROWS_AT_ONCE);
    for (const batch of batched(events)) {
      const shown = batch.map((event) => complete(kernel, invocationId, event, naming));
      yield* pieces(shown.map(sse).join(""));
      seen = batch.at(-1)?.seq ?? seen;
      if (batch.some(ends)) return;
    }
    if (events.length > 0) continue;
    if (ended(kernel, invocationId)) return;
    if (!(await kernel.feed.change(invocationId, HEARTBEAT_MS))) yield* pieces(": still here\n\n");
  }
}

/** Small events go together, one that is filled in from the invocation's row goes alone. */
function batched(events: readonly InvocationEvent[]): InvocationEvent[][] {
  const batches: InvocationEvent[][] = [];
  for (const event of events) {
    const last = batches.at(-1);
    if (last && event.event !== "message.completed") last.push(event);
    else batches.push([event]);
  }
  return batches;
}

/**
 * What an event's data leaves to be read: the completed message and the terminal invocation are
 * stored once, in the invocation's row, and filled in here.
 */
export function complete(
  kernel: Kernel,
  invocationId: string,
  event: InvocationEvent,
  naming: () => Naming,
): InvocationEvent {
  if (event.event !== "message.completed" && !ends(event)) return event;
  const row = findInvocation(kernel.sql, invocationId);
  if (!row) return event;
  if (event.event !== "message.completed" && sizeOf(row) > WHOLE_UNITS) {
    const { input: _i, output: _o, ...rest } = onWire(kernel.sql, withoutContent(row), naming());
    return {
      ...event,
      data: { ...event.data, invocation: { ...rest, input: null, output: null } },
    };
  }
  const invocation = onWire(kernel.sql, row, naming());
  if (event.event !== "message.completed") return { ...event, data: { ...event.data, invocation } };
  const { text = "", data } = invocation.output ?? {};
  return { ...event, data: { text, ...data } };
}

/** Units of what a row holds of input and output; what stands in chunks is large. */
function sizeOf({ input, output }: InvocationRow): number {
  if (input.startsWith("@") || output?.startsWith("@")) return Number.POSITIVE_INFINITY;
  return input.length + (output?.length ?? 0);
}

/** Is this the last event an invocation ever has? */
export function ends(event: InvocationEvent): boolean {
  return (
    event.event === "invocation.succeeded" ||
    event.event === "invocation.failed" ||
    event.event === "invocation.cancelled" ||
    event.event === "invocation.dead"
  );
}

function sse(event: InvocationEvent): string {
  return `id: ${event.seq}\nevent: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
}

/** Has the invocation reached its end (or is it none of this object)? */
export function ended(kernel: Kernel, invocationId: string): boolean {
  const row = findInvocation(kernel.sql, invocationId);
  return !row || terminal(row.status);
}
