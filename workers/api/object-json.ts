import type { Text } from "../../durable-objects/agent-runtime/text.ts";

/** JSON that an object has written already, as an answer. */
export function jsonOf(
  body: Text,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const type = { "content-type": "application/json" };
  return new Response(body, { status, headers: { ...type, ...headers } });
}

/** The same, read: it comes in pieces when it is long. */
export async function readJson(body: Text): Promise<unknown> {
  return JSON.parse(typeof body === "string" ? body : await new Response(body).text());
}

/** Where an invocation is found. */
export function locationOf(id: string): { readonly location: string } {
  return { location: `/v1/invocations/${id}` };
}
