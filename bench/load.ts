/** Callers: keep-alive connections that send one request after the other and keep the times. */
import { Agent, request } from "node:http";
import type { IncomingMessage } from "node:http";

/** Where calls go and what they carry. */
export type Target = {
  readonly port: number;
  /** `Host` as sent: names below localhost do not resolve in Node. */
  readonly host?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The body of one call, made anew for each. */
  readonly body: () => string;
};

/** A fixed number of open connections; `close` when done. */
export class Callers {
  readonly count: number;
  readonly #agent: Agent;

  constructor(count: number) {
    this.count = count;
    this.#agent = new Agent({ keepAlive: true, maxSockets: count });
  }

  /** Time from sending to the last byte. @throws Error for anything but a 2xx */
  async call(target: Target): Promise<number> {
    const startMs = performance.now();
    const response = await this.#send(target);
    const text = await textOf(response);
    const tookMs = performance.now() - startMs;
    refuse(target, response, text);
    return tookMs;
  }

  /** Time from sending to the first bytes that hold `mark`, then reads to the end. */
  async first(target: Target, mark: string): Promise<number> {
    const startMs = performance.now();
    const response = await this.#send(target);
    let text = "";
    let tookMs: number | undefined;
    for await (const part of response) {
      text += String(part);
      if (tookMs === undefined && text.includes(mark)) tookMs = performance.now() - startMs;
    }
    refuse(target, response, text);
    if (tookMs === undefined) throw new Error(`no ${mark} in ${text.slice(0, 500)}`);
    return tookMs;
  }

  /** All callers busy for `forMs`: finished calls per second. */
  async throughput(targets: readonly Target[], forMs: number): Promise<number> {
    const startMs = performance.now();
    const untilMs = startMs + forMs;
    let done = 0;
    let next = 0;
    const caller = async (): Promise<void> => {
      for (;;) {
        const target = targets[next++ % targets.length];
        if (target === undefined) return;
        await this.call(target);
        if (performance.now() > untilMs) return;
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: this.count }, caller));
    return (done * 1000) / forMs;
  }

  /** Each target once, all callers busy. */
  async each(targets: readonly Target[]): Promise<number[]> {
    const times: number[] = [];
    const waiting = targets.values();
    const caller = async (): Promise<void> => {
      for (const target of waiting) times.push(await this.call(target));
    };
    await Promise.all(Array.from({ length: this.count }, caller));
    return times;
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(target: Target): Promise<IncomingMessage> {
    const body = target.body();
    return new Promise((settle, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: target.port,
          path: target.path,
          method: "POST",
          agent: this.#agent,
          headers: {
            "content-type": "application/json",
            "content-length": Buffer.byteLength(body),
            ...(target.host === undefined ? {} : { host: target.host }),
            ...target.headers,
          },
        },
        settle,
      );
      sent.once("error", reject);
      sent.end(body);
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const part of response) text += String(part);
  return text;
}

function refuse(target: Target, response: IncomingMessage, text: string): void {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return;
  throw new Error(`${target.path} answered ${status}: ${text.slice(0, 500)}`);
}
