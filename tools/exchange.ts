/**
 * Requests to a server on this machine by the host they are meant for. Node resolves no
 * `*.localhost`, and its `fetch` sends no Host header of the caller's choosing.
 */
import { request } from "node:http";
import type { IncomingMessage } from "node:http";

export type Sent = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
};

export type Answer = { readonly status: number; readonly body: unknown };

/** @param host  As in the Host header, `acme.localhost:8787`. */
export type Exchange = (host: string, path: string, sent?: Sent) => Promise<Answer>;

/** One whole exchange; a JSON answer comes parsed, any other as text. */
export function exchangeWith(port: number): Exchange {
  return async (host, path, sent) => {
    const response = await open(port, host, path, sent);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(Buffer.from(chunk));
    const text = Buffer.concat(chunks).toString();
    const json = response.headers["content-type"]?.includes("json") ?? false;
    return {
      status: response.statusCode ?? 0,
      body: json && text !== "" ? JSON.parse(text) : text,
    };
  };
}

/** Send a request; resolves at the answer's head, its body still to be read. */
export async function open(
  port: number,
  host: string,
  path: string,
  sent: Sent = {},
): Promise<IncomingMessage> {
  const body = sent.body === undefined ? undefined : JSON.stringify(sent.body);
  return new Promise((answered, reject) => {
    const outgoing = request({
      host: "127.0.0.1",
      port,
      path,
      method: sent.method ?? "GET",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...sent.headers,
        host,
      },
      ...(sent.signal === undefined ? {} : { signal: sent.signal }),
    });
    outgoing.once("response", answered);
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}
