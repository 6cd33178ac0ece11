import { terminal, type InvocationEvent } from "../../core/invocations/contract.ts";
import { readEvents } from "./events.ts";
import { findInvocation, onWire, type Naming } from "./invocations.ts";
import type { Kernel } from "./kernel.ts";

/** Comments that keep an idle stream's connection open. */
const HEARTBEAT_MS = 15_000;

/**
 * An invocation's events after number `after` as SSE bytes, live until the terminal one.
 *
 * The stream is a view of the log: each pull reads what is stored and waits when there is nothing,
 * so a slow reader costs no memory and a resumed one misses and repeats nothing (G15).
 */
export function eventStream(
  kernel: Kernel,
  invocationId: string,
  after: number,
  naming: () => Naming,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let seen = after;
  const reader = { gone: false };
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      while (!reader.gone) {
        const events = readEvents(kernel.sql, invocationId, seen);
        if (events.length > 0) {
          seen = events.at(-1)?.seq ?? seen;
          const shown = events.map((event) => complete(kernel, invocationId, event, naming));
          controller.enqueue(encoder.encode(shown.map(sse).join("")));
          if (events.some(ends)) controller.close();
          return;
        }
        if (ended(kernel, invocationId)) {
          controller.close();
          return;
        }
        if (!(await kernel.feed.change(invocationId, HEARTBEAT_MS))) {
          controller.enqueue(encoder.encode(": still here\n\n"));
          return;
        }
      }
    },
    cancel() {
      reader.gone = true;
    },
  });
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
  const invocation = onWire(kernel.sql, row, naming());
  if (event.event !== "message.completed") return { ...event, data: { invocation } };
  const { text = "", data } = invocation.output ?? {};
  return { ...event, data: { text, ...data } };
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
