/**
 * Embeddings over plain `fetch`, as `chat-codec.ts` beside it (DECISIONS 37).
 *
 * @source OpenAI API reference, `POST /embeddings`; asked for `float`, because not every compatible
 *         server knows the package's own base64.
 */
import { endpoint, list, record, type ProviderAccess } from "./chat-wire.ts";
import type { Embedded, Embedder } from "./embedder.ts";
import { brokenAnswer, statusFailure, thrownFailure } from "./failures.ts";
import { estimateTokens, reportedUsage } from "./usage.ts";

const MOST_DIMENSIONS = 4096;

export function createEmbedCodec(ref: string, model: string, access: ProviderAccess): Embedder {
  const target = new URL(endpoint(access.baseUrl).chat);
  target.pathname = target.pathname.replace(/\/chat\/completions$/, "/embeddings");
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (access.apiKey !== null) headers.authorization = `Bearer ${access.apiKey}`;
  return {
    ref,
    lexical: false,
    async embed(texts, { idempotencyKey, signal }) {
      let reached = false;
      try {
        signal.throwIfAborted();
        const response = await access.fetch(target, {
          method: "POST",
          headers: { ...headers, accept: "application/json", "idempotency-key": idempotencyKey },
          body: JSON.stringify({ model, input: texts, encoding_format: "float" }),
          redirect: "manual",
          signal,
        });
        reached = true;
        const text = await response.text();
        if (!response.ok) {
          throw statusFailure(response.status, response.headers, parsed(text), access.apiKey);
        }
        return readVectors(JSON.parse(text), texts);
      } catch (error) {
        throw thrownFailure(error, signal, reached);
      }
    },
  };
}

/** @throws ModelFailure  retryable, when they are not one for each text, all of one length. */
function readVectors(json: unknown, texts: readonly string[]): Embedded {
  const body = record(json);
  const rows = list(body?.data).map(record);
  const vectors = texts.map((_, n) => {
    const row = rows.find((it) => it?.index === n) ?? rows[n];
    return vectorOf(list(row?.embedding));
  });
  const [first] = vectors;
  if (rows.length !== texts.length || vectors.some(({ length }) => length !== first?.length)) {
    throw brokenAnswer("sent other vectors than were asked for");
  }
  const usage = record(body?.usage);
  const estimate = texts.reduce((sum, text) => sum + estimateTokens(text), 0);
  return {
    vectors,
    usage: reportedUsage(usage?.prompt_tokens ?? usage?.total_tokens, 0) ?? {
      inputTokens: estimate,
      outputTokens: 0,
      estimated: true,
    },
  };
}

function vectorOf(values: readonly unknown[]): Float32Array {
  const numbers = values.filter((value) => typeof value === "number" && Number.isFinite(value));
  const fits = values.length > 0 && values.length <= MOST_DIMENSIONS;
  if (!fits || numbers.length !== values.length) throw brokenAnswer("sent a broken vector");
  return Float32Array.from(numbers);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
