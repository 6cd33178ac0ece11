/**
 * Server-sent events from a fetch body. `EventSource` cannot POST, so the console reads the
 * stream itself.
 *
 * @source WHATWG HTML §9.2.6 (interpreting an event stream).
 */
export type SseEvent = { readonly id: string; readonly event: string; readonly data: string };

/** Cuts text into events however it was chunked; what is unfinished waits for the next push. */
export type SseParser = { push(chunk: string): readonly SseEvent[] };

export function sseParser(): SseParser {
  let rest = "";
  let id = "";
  let event = "";
  let data: string[] = [];

  function line(text: string): SseEvent | undefined {
    if (text === "") {
      const done = { id, event: event === "" ? "message" : event, data: data.join("\n") };
      const empty = data.length === 0;
      event = "";
      data = [];
      return empty ? undefined : done;
    }
    const colon = text.indexOf(":");
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    return undefined;
  }

  return {
    push(chunk) {
      const events: SseEvent[] = [];
      // A CR at the end may be the first half of CRLF: it stays until the next chunk decides.
      const lines = (rest + chunk).split(/\r\n|\n|\r(?=[^\n])/);
      rest = lines.pop() ?? "";
      for (const text of lines) {
        const done = line(text);
        if (done) events.push(done);
      }
      return events;
    },
  };
}

/** The events of a response body, as they arrive; ends when the server closes it. */
export async function* readSse(body: ReadableStream<Uint8Array>): AsyncGenerator<SseEvent> {
  const parser = sseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Whoever stops listening lets go of the connection; a body that already broke has none.
    await reader.cancel().catch(() => undefined);
  }
}
