/**
 * JSON on its way to a caller: short ones as text, which crosses RPC fastest, long ones as bytes in
 * pieces, because what crosses whole is limited to 32 MiB and held twice.
 */
export type Text = string | ReadableStream<Uint8Array>;

const WHOLE_UNITS = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

export function textOf(json: string): Text {
  return json.length <= WHOLE_UNITS ? json : piecesOf(new TextEncoder().encode(json));
}

/** A reader that stalls holds one piece, not the whole. */
function piecesOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller: ReadableByteStreamController) {
      controller.enqueue(bytes.slice(at, at + PIECE_BYTES));
      at += PIECE_BYTES;
      if (at >= bytes.length) controller.close();
    },
  });
}

/** Splits what is to be sent into pieces a slow reader may leave lying. */
export function* pieces(text: string): Generator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.slice(at, at + PIECE_BYTES);
}
