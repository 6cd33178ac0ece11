import { EgressFailure } from "../egress/contract.ts";

/** Text of an answer; `cut` when there was more of it than was wanted. */
type AnswerText = { readonly text: string; readonly cut: boolean };

/**
 * Read at most `maxBytes` of an answer as UTF-8 and drop the rest unread.
 *
 * @throws  whatever the far side or `signal` does while reading.
 */
export async function readText(
  response: Response,
  maxBytes: number,
  signal: AbortSignal,
): Promise<AnswerText> {
  if (response.body === null) return { text: "", cut: false };
  const reader = response.body.getReader();
  const stop = (): void => void reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  let text = "";
  let left = maxBytes;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return { text: text + decoder.decode(), cut: false };
      text += decoder.decode(value.subarray(0, left), { stream: true });
      left -= value.byteLength;
      if (left < 0) return { text, cut: true };
    }
  } catch (error) {
    if (error instanceof EgressFailure && error.reason === "too_large") return { text, cut: true };
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Drop an answer unread. Never fails: the far side may be gone already. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}
