import { Problem } from "../problem.ts";

export type Numbered = { readonly text: string; readonly number: number };

/**
 * The lines of a file that is still arriving, never more than one held.
 *
 * @throws Problem `too_large` above `maxBytes` or a line of `lineMaxBytes`, `invalid` for what is
 *         not UTF-8 or ends within a line, `bad_request` when the sender goes away.
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  lineMaxBytes: number,
): AsyncGenerator<Numbered, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let pieces: string[] = [];
  let units = 0;
  let sizeBytes = 0;
  let number = 0;
  for await (const chunk of chunksOf(body)) {
    sizeBytes += chunk.byteLength;
    if (sizeBytes > maxBytes) throw new Problem("too_large", "the file is larger than we take");
    const [first = "", ...rest] = decoded(decoder, chunk).split("\n");
    pieces.push(first);
    units += first.length;
    for (const next of rest) {
      number += 1;
      yield { text: pieces.join(""), number };
      pieces = [next];
      units = next.length;
    }
    if (units > lineMaxBytes) throw new Problem("too_large", "a line is longer than we take");
  }
  if (units > 0) throw new Problem("invalid", "the file ends within a line");
}

async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw new Problem("bad_request", "the file ended early");
      });
      if (done) return;
      yield value;
    }
  } finally {
    // Not awaited: whoever stops reading has their reason, and the sender is told by it.
    reader.cancel().catch(() => {});
  }
}

function decoded(decoder: TextDecoder, chunk: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: true });
  } catch {
    throw new Problem("invalid", "the file is not UTF-8");
  }
}
