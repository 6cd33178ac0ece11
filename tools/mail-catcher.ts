/**
 * What takes the mail on one machine: the HTTP form of `core/mail/http.ts`, on loopback. Each
 * message becomes a file, and its link a line for whoever started the server.
 */
import { timingSafeEqual } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { z } from "zod";

export type MailCatcher = {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
};

const Message = z.object({
  from: z.string(),
  to: z.array(z.string()).min(1),
  subject: z.string(),
  text: z.string(),
});

const LARGEST_BYTES = 1_000_000;

type Catching = {
  /** Where messages are written, one JSON file each, readable by their owner alone. */
  readonly dir: string;
  /** What a sender must show: others on this machine are no senders. */
  readonly key: string;
  readonly log: (line: string) => void;
};

export async function startMailCatcher(options: Catching): Promise<MailCatcher> {
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const server = createServer((request, response) => {
    take(request, response, options).catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo; // a TCP listener has no other kind
  return {
    port,
    url: `http://127.0.0.1:${port}/emails`,
    async close() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function take(
  request: IncomingMessage,
  response: ServerResponse,
  { dir, key, log }: Catching,
): Promise<void> {
  if (!same(request.headers.authorization ?? "", `Bearer ${key}`)) {
    response.writeHead(401).end();
    return;
  }
  const body = await bodyOf(request);
  const message = body === undefined ? undefined : Message.safeParse(parsed(body)).data;
  if (message === undefined) {
    response.writeHead(422).end();
    return;
  }
  // The sender's key for the message: sent twice it is one file.
  const id = String(request.headers["idempotency-key"] ?? "").replaceAll(/[^\w-]/g, "_");
  const file = join(dir, `${id.slice(0, 80) || "unnamed"}.json`);
  writeFileSync(`${file}.part`, `${JSON.stringify(message, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.part`, file);
  const link = /https?:\/\/\S+/.exec(message.text)?.[0] ?? "no link";
  log(`mail: ${message.to.join(", ")} · ${message.subject} · ${link}`);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ id }));
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const piece = chunk as Buffer; // no encoding is set: buffers
    size += piece.length;
    if (size > LARGEST_BYTES) return undefined;
    chunks.push(piece);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
