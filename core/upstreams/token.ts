import type { Clock } from "../clock.ts";
import type { Fetch } from "../models/contract.ts";
import { UpstreamFailure, type UpstreamAuth } from "./contract.ts";

type Client = Extract<UpstreamAuth, { readonly kind: "oauth2" }>;

/** A token is not used in the last moments of its life: it would end on its way. */
const LEEWAY_MS = 30_000;
/** Tokens of an issuer that does not say how long they live. */
const ASSUMED_S = 300;
/** Larger answers are no tokens. */
const MOST_TOKEN = 16_384;

export type TokenPorts = {
  readonly fetch: Fetch;
  readonly now: Clock;
  readonly secret: (name: string) => string | undefined;
};

/**
 * Access tokens of an OAuth 2 client, kept in memory while they last.
 *
 * Whoever needs one while it is being asked for waits for the same answer (single flight); a
 * failure is not kept.
 *
 * @source RFC 6749 §4.4, §5.1; §2.3.1 for how the client proves itself
 */
export class Tokens {
  readonly #client: Client;
  readonly #ports: TokenPorts;
  #known: { readonly token: string; readonly untilMs: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(client: Client, ports: TokenPorts) {
    this.#client = client;
    this.#ports = ports;
  }

  /** The token that was last given out: what answers are searched for. */
  get last(): string | undefined {
    return this.#known?.token;
  }

  /** @throws UpstreamFailure `credential` | `unready`; nothing was sent to the upstream */
  take(signal: AbortSignal): Promise<string> {
    const known = this.#known;
    if (known !== undefined && this.#ports.now() < known.untilMs) {
      return Promise.resolve(known.token);
    }
    this.#asking ??= this.#ask(signal).finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** The upstream did not take it, though its time was not over. */
  refused(token: string): void {
    if (this.#known?.token === token) this.#known = { token, untilMs: 0 };
  }

  async #ask(signal: AbortSignal): Promise<string> {
    const response = await this.#send(signal);
    if (response.status >= 500 || response.status === 429) {
      throw new UpstreamFailure("unready", `the token endpoint answered ${response.status}`);
    }
    const { access_token: token, expires_in: livesS } = tokenFields(await bodyOf(response));
    if (!response.ok || typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
      throw new UpstreamFailure("credential", "the token endpoint gave no token");
    }
    const lifeMs = (typeof livesS === "number" && livesS >= 0 ? livesS : ASSUMED_S) * 1000;
    // A life shorter than the leeway is used for half of it.
    const usedMs = Math.max(lifeMs - LEEWAY_MS, lifeMs / 2);
    this.#known = { token, untilMs: this.#ports.now() + usedMs };
    return token;
  }

  async #send(signal: AbortSignal): Promise<Response> {
    const { token_url: url, client_id: id, client_secret: ref, client_auth: way } = this.#client;
    const secret = this.#ports.secret(ref.secret);
    if (secret === undefined) {
      throw new UpstreamFailure("credential", `there is no secret ${ref.secret}`);
    }
    const { scope, audience } = this.#client;
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    if (scope !== undefined) form.set("scope", scope);
    if (audience !== undefined) form.set("audience", audience);
    const headers = new Headers({
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
    });
    if (way === "basic") {
      headers.set("authorization", `Basic ${btoa(`${encoded(id)}:${encoded(secret)}`)}`);
    } else {
      form.set("client_id", id);
      form.set("client_secret", secret);
    }
    try {
      return await this.#ports.fetch(url, {
        method: "POST",
        headers,
        body: form.toString(),
        signal,
      });
    } catch {
      throw new UpstreamFailure("unready", "the token endpoint did not answer");
    }
  }
}

async function bodyOf(response: Response): Promise<string> {
  try {
    return await response.text();
  } catch {
    throw new UpstreamFailure("unready", "the token endpoint broke off its answer");
  }
}

function tokenFields(text: string): Readonly<Record<string, unknown>> {
  if (text.length > MOST_TOKEN) return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** As a form has it: RFC 6749 asks for it before Basic. */
function encoded(text: string): string {
  return new URLSearchParams({ text }).toString().slice("text=".length);
}
