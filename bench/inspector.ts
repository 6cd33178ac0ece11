/** The part of the Chrome DevTools protocol that takes a CPU profile of one Worker. */
import { z } from "zod";

const Targets = z.array(z.object({ id: z.string(), webSocketDebuggerUrl: z.string() }));

const Reply = z.object({
  id: z.number().optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});

const Profiled = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        callFrame: z.object({
          functionName: z.string(),
          url: z.string(),
          lineNumber: z.number(),
        }),
        children: z.array(z.number()).optional(),
      }),
    ),
    startTime: z.number(),
    endTime: z.number(),
    samples: z.array(z.number()),
    timeDeltas: z.array(z.number()),
  }),
});
/** As DevTools loads it from a `.cpuprofile` file; times in µs. */
export type Profile = z.infer<typeof Profiled>["profile"];

const SAMPLE_EVERY_US = 200;

/** Profile the Worker of this name while `work` runs. */
export async function profileWhile(
  inspectorPort: number,
  worker: string,
  work: () => Promise<unknown>,
): Promise<Profile> {
  const listed: unknown = await (await fetch(`http://127.0.0.1:${inspectorPort}/json`)).json();
  const targets = Targets.parse(listed);
  const target = targets.find(({ id }) => id === `core:user:${worker}` || id === worker);
  if (target === undefined) {
    throw new Error(`no Worker ${worker} among ${targets.map(({ id }) => id).join(", ")}`);
  }
  const inspector = await Inspector.open(target.webSocketDebuggerUrl);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_US });
  await inspector.call("Profiler.start");
  await work();
  const { profile } = Profiled.parse(await inspector.call("Profiler.stop"));
  inspector.close();
  return profile;
}

class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: z.infer<typeof Reply>) => void>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const reply = Reply.parse(JSON.parse(String(data)));
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    });
  }

  static async open(url: string): Promise<Inspector> {
    const socket = new WebSocket(url);
    await new Promise<void>((opened, reject) => {
      socket.addEventListener("open", () => opened());
      socket.addEventListener("error", () => reject(new Error(`no inspector at ${url}`)));
    });
    return new Inspector(socket);
  }

  async call(method: string, params: object = {}): Promise<unknown> {
    const id = (this.#calls += 1);
    const reply = await new Promise<z.infer<typeof Reply>>((settle) => {
      this.#waiting.set(id, settle);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
    this.#waiting.delete(id);
    if (reply.error !== undefined) throw new Error(`${method}: ${JSON.stringify(reply.error)}`);
    return reply.result;
  }

  close(): void {
    this.#socket.close();
  }
}
