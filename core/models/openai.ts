/** Chat completions through the `openai` package, against any compatible base URL. */
import OpenAI from "openai";
import { assemble } from "./chat-chunks.ts";
import { chatBody, endpoint, readAnswer, type ProviderAccess } from "./chat-wire.ts";
import type { Model, ModelAnswer, ModelFailure, ModelRequest } from "./contract.ts";
import { abortedFailure, statusFailure, streamError, thrownFailure } from "./failures.ts";

/** The package's own limit on one call; the run's deadline, in the signal, is always shorter. */
const TIMEOUT_MS = 900_000;

export function createOpenAi(access: ProviderAccess): Model {
  const { base, chat } = endpoint(access.baseUrl);
  // Every setting the package would otherwise read from the environment is given.
  const client = new OpenAI({
    baseURL: base,
    apiKey: access.apiKey ?? "none",
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
    logLevel: "off",
    fetch: async (target, init) => access.fetch(urlOf(target), init),
    fetchOptions: { redirect: "manual" },
    ...(access.apiKey === null ? { defaultHeaders: { Authorization: null } } : {}),
  });

  return {
    async answer(request, { signal, onDelta }) {
      const body = chatBody(request, chat.hostname);
      const options = { signal, headers: { "Idempotency-Key": request.idempotencyKey } };
      try {
        if (onDelta) return await stream(client, request, options, onDelta);
        const answer: unknown = await client.chat.completions.create(body, options);
        return readAnswer(
          typeof answer === "string" && answer !== "" ? JSON.parse(answer) : answer,
          request,
        );
      } catch (error) {
        throw failureOf(error, signal, access.apiKey);
      }
    },
  };
}

async function stream(
  client: OpenAI,
  request: ModelRequest,
  options: { readonly signal: AbortSignal; readonly headers: Record<string, string> },
  onDelta: (text: string) => void,
): Promise<ModelAnswer> {
  const whole = assemble(request);
  const body = chatBody(request, new URL(client.baseURL).hostname);
  const chunks = await client.chat.completions.create(
    { ...body, stream: true, stream_options: { include_usage: true } },
    options,
  );
  for await (const chunk of chunks) {
    if (options.signal.aborted) break;
    const text = whole.add(chunk);
    if (text !== "") onDelta(text);
  }
  // An aborted stream just ends: only the signal tells it from a complete one.
  if (options.signal.aborted) throw abortedFailure(options.signal);
  return whole.finish();
}

function failureOf(error: unknown, signal: AbortSignal, secret: string | null): ModelFailure {
  if (signal.aborted) return abortedFailure(signal);
  if (error instanceof OpenAI.APIConnectionError) return thrownFailure(error, signal, false);
  if (!(error instanceof OpenAI.APIError)) return thrownFailure(error, signal, true);
  const status: number | undefined = error.status;
  const body: unknown = error.error;
  if (status === undefined) return streamError(body, secret);
  return statusFailure(status, error.headers, body, secret);
}

function urlOf(target: string | URL | Request): string | URL {
  return target instanceof Request ? target.url : target;
}
