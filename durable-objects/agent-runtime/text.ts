/**
 * JSON on its way to a caller: short ones as text, which crosses RPC fastest, long ones as bytes in
 * pieces, because what crosses whole is limited to 32 MiB and held twice.
 */
export type Text = string | ReadableStream<Uint8Array>;

const WHOLE_UNITS = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

/** @returns text as it is, or its bytes in pieces when it is long. */
export function textOf(json: string): Text {
  return json.length <= WHOLE_UNITS ? json : streamOf(pieces(json));
}

/** UTF-8 in pieces small enough for a slow reader to leave lying. */
export function* pieces(text: string): Generator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.slice(at, at + PIECE_BYTES);
}

/** The next piece is made when the last one was taken; a reader that leaves ends the making. */
export function streamOf(
  source: Iterator<Uint8Array, void> | AsyncIterator<Uint8Array, void>,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController) {
      const next = await source.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await source.return?.();
    },
  });
}
