/**
 * Chat completions over plain `fetch`: one stringify, one request, one parse.
 *
 * Stands beside the adapter over the `openai` package (DECISIONS 37), which is its test oracle:
 * same bodies sent, same answers, same failures.
 */
import { assemble } from "./chat-chunks.ts";
import { chatBody, endpoint, readAnswer, type ProviderAccess } from "./chat-wire.ts";
import type { Model, ModelAnswer, ModelRequest } from "./contract.ts";
import { abortedFailure, statusFailure, streamError, thrownFailure } from "./failures.ts";
import { eventParser } from "./sse.ts";

export function createChatCodec(access: ProviderAccess): Model {
  const { chat } = endpoint(access.baseUrl);
  const common: Record<string, string> = { "content-type": "application/json" };
  if (access.apiKey !== null) common.authorization = `Bearer ${access.apiKey}`;

  return {
    async answer(request, { signal, onDelta }) {
      let reached = false;
      try {
        signal.throwIfAborted();
        const body = chatBody(request, chat.hostname);
        const response = await access.fetch(chat, {
          method: "POST",
          headers: {
            ...common,
            accept: onDelta ? "text/event-stream" : "application/json",
            "idempotency-key": request.idempotencyKey,
          },
          body: JSON.stringify(
            onDelta ? { ...body, stream: true, stream_options: { include_usage: true } } : body,
          ),
          redirect: "manual",
          signal,
        });
        reached = true;
        if (!response.ok) throw await refusal(response, access.apiKey);
        if (onDelta) return await readStream(response, request, access.apiKey, signal, onDelta);
        const text = await response.text();
        return readAnswer(text === "" ? undefined : JSON.parse(text), request);
      } catch (error) {
        throw thrownFailure(error, signal, reached);
      }
    },
  };
}

async function refusal(response: Response, secret: string | null): Promise<Error> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return statusFailure(response.status, response.headers, body, secret);
}

async function readStream(
  response: Response,
  request: ModelRequest,
  secret: string | null,
  signal: AbortSignal,
  onDelta: (text: string) => void,
): Promise<ModelAnswer> {
  const whole = assemble(request);
  if (response.body === null) return whole.finish();
  const reader = response.body.getReader();
  const stop = (): void => void reader.cancel(signal.reason).catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  const decoder = new TextDecoder();
  const parse = eventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      // A cancelled reader ends as if the stream were complete: only the signal tells them apart.
      if (signal.aborted) throw abortedFailure(signal);
      const events = parse(
        done ? `${decoder.decode()}\n\n` : decoder.decode(value, { stream: true }),
      );
      for (const { event, data } of events) {
        if (data === "[DONE]") return whole.finish();
        const chunk: unknown = JSON.parse(data);
        if (event === "error" || hasError(chunk)) throw streamError(chunk, secret);
        const text = whole.add(chunk);
        if (text !== "") onDelta(text);
      }
      if (done) return whole.finish();
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function hasError(chunk: unknown): boolean {
  return typeof chunk === "object" && chunk !== null && "error" in chunk && Boolean(chunk.error);
}
