import type { Output } from "../invocations/contract.ts";

/** What of an invocation its upstream is told. */
export type Turn = {
  readonly invocation_id: string;
  readonly session_id: string;
  readonly input: unknown;
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * What an upstream said to `invoke`: `{"output": "…"}`, `{"text": "…"}` or an object with one of
 * them deeper as `output.text`; any other JSON, and text, is the answer as it stands.
 */
export function outputOf(said: string, contentType: string): Output {
  const text = /\bjson\b/i.test(contentType) ? textOf(said) : said;
  return { text, messages: [{ role: "assistant", content: text }] };
}

function textOf(json: string): string {
  const answer = fieldsOf(parsed(json));
  const output = answer["output"];
  for (const text of [output, answer["text"], fieldsOf(output)["text"]]) {
    if (typeof text === "string") return text;
  }
  return json;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  const fields = typeof value === "object" && value !== null ? value : {};
  return Object.fromEntries(Object.entries(fields));
}
