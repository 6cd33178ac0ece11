/**
 * The yardstick: the least that can be called an agent on this runtime. One Durable Object stores
 * two messages and calls the model with `fetch`. No tenant, key, limit, journal or retry: what
 * Berth adds is measured against this, on the same server in the same run.
 */
import { DurableObject } from "cloudflare:workers";
import { fillRecall, recall } from "./recall.ts";

type FloorEnv = {
  readonly FLOOR: DurableObjectNamespace<Floor>;
  /** The network as the product reaches an allowed pair: faster here than the global `fetch`. */
  readonly NETWORK: Fetcher;
  /** `http://127.0.0.1:PORT/v1` */
  readonly MODEL_URL: string;
};

type Completion = {
  readonly choices: readonly [{ readonly message: { readonly content: string } }];
};

export class Floor extends DurableObject<FloorEnv> {
  constructor(ctx: DurableObjectState, env: FloorEnv) {
    super(ctx, env);
    ctx.storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, role TEXT, content TEXT)",
    );
  }

  async invoke(input: string, model: string): Promise<string> {
    this.#store("user", input);
    const response = await this.#complete(input, model, false);
    const { choices } = await response.json<Completion>();
    this.#store("assistant", choices[0].message.content);
    return choices[0].message.content;
  }

  /** The provider's own bytes; stored when they end. */
  async stream(input: string, model: string): Promise<ReadableStream<Uint8Array>> {
    this.#store("user", input);
    const { body } = await this.#complete(input, model, true);
    if (body === null) throw new Error("the model sent no body");
    const decoder = new TextDecoder();
    let text = "";
    const storing = new TransformStream<Uint8Array, Uint8Array>({
      transform: (bytes, out) => {
        text += decoder.decode(bytes, { stream: true });
        out.enqueue(bytes);
      },
      flush: () => this.#store("assistant", text),
    });
    return body.pipeThrough(storing);
  }

  async fill({ texts }: { readonly texts: readonly string[] }): Promise<number> {
    await fillRecall(this.ctx.storage.sql, texts);
    return texts.length;
  }

  async recall({ query }: { readonly query: string }): Promise<readonly unknown[]> {
    return recall(this.ctx.storage.sql, query);
  }

  #store(role: string, content: string): void {
    this.ctx.storage.sql.exec("INSERT INTO message (role, content) VALUES (?, ?)", role, content);
  }

  async #complete(input: string, model: string, stream: boolean): Promise<Response> {
    return this.env.NETWORK.fetch(`${this.env.MODEL_URL}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: input }], stream }),
    });
  }
}

/** `POST /a/{object}/invoke {input}`, as the product has it; the object's name ends in its model. */
export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.split("/")[2] ?? "";
    const [, , , verb] = new URL(request.url).pathname.split("/");
    if (verb === "fill" || verb === "recall") {
      return Response.json(await env.FLOOR.getByName(name)[verb](await request.json()));
    }
    const { input } = await request.json<{ readonly input: string }>();
    const model = name.slice(name.indexOf("stub"));
    const object = env.FLOOR.getByName(name);
    if (request.headers.get("accept") !== "text/event-stream") {
      return Response.json({ output: await object.invoke(input, model) });
    }
    const headers = { "content-type": "text/event-stream" };
    return new Response(await object.stream(input, model), { headers });
  },
} satisfies ExportedHandler<FloorEnv>;
