/** The published keys of issuers outside, fetched when needed and kept for a while. */
import { z } from "zod";
import type { Fetch } from "../models/contract.ts";
import type { Jwk } from "./jwk.ts";

const KeySet = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(64) });

/** A key that was withdrawn is believed for at most this long. */
const FRESH_MS = 300_000;
/** An unknown `kid` may be a new key, but asking is at most this frequent. */
const ASK_MS = 30_000;
const TIMEOUT_MS = 5000;
/** An answer belongs to the request that asked, and can die with it: nobody waits for an old one. */
const JOIN_MS = 1000;
/** Tenants name addresses too: the oldest make room. */
const SETS_KEPT = 2000;

type Kept = { readonly keys: readonly Jwk[]; readonly atMs: number };
type Asked = { readonly atMs: number; readonly answer: Promise<Kept>; done: boolean };

export class KeySets {
  readonly #kept = new Map<string, Kept>();
  readonly #asked = new Map<string, Asked>();
  readonly #fetch: Fetch;

  /** @param fetch  Checks where it goes: tenants name addresses. */
  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** Keys of the set at `url`; asked again for a `kid` it did not have. @throws when it cannot be had */
  async keys(url: string, kid: string | undefined, nowMs: number): Promise<readonly Jwk[]> {
    const kept = this.#kept.get(url);
    const fresh = kept !== undefined && nowMs - kept.atMs < FRESH_MS;
    const known = kid === undefined || kept?.keys.some((key) => key["kid"] === kid) === true;
    if (fresh && known) return kept.keys;
    return (await this.#ask(url, nowMs)).keys;
  }

  #ask(url: string, nowMs: number): Promise<Kept> {
    const known = this.#asked.get(url);
    const within = known === undefined ? Infinity : nowMs - known.atMs;
    if (known !== undefined && within < (known.done ? ASK_MS : JOIN_MS)) return known.answer;
    const answer = this.#read(url, nowMs);
    const asked: Asked = { atMs: nowMs, answer, done: false };
    const settled = () => {
      asked.done = true;
    };
    answer.then(settled, settled);
    put(this.#asked, url, asked);
    return answer;
  }

  async #read(url: string, nowMs: number): Promise<Kept> {
    const response = await this.#fetch(url, {
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`the key set answered ${response.status}`);
    const { keys } = KeySet.parse(await response.json());
    const kept = { keys, atMs: nowMs };
    put(this.#kept, url, kept);
    return kept;
  }
}

function put<V>(sets: Map<string, V>, url: string, value: V): void {
  sets.delete(url);
  sets.set(url, value);
  const oldest = sets.keys().next();
  if (sets.size > SETS_KEPT && !oldest.done) sets.delete(oldest.value);
}
