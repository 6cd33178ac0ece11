/**
 * Content sealed in the object's own storage, for a tenant that asked for it (DECISIONS 29).
 *
 * Each value is AES-256-GCM under a key of this object alone, derived from the tenant's content key;
 * that key stands in the release, sealed under the tenant's data key. So a data key is rotated
 * without touching content, and destroyed with it all content is beyond reading. Bound into a value
 * is what it is and whose: `tenant|content|tag|ref`.
 */
import { createHmac, randomBytes } from "node:crypto";
import { SEALED_FOR } from "../../core/content/contract.ts";
import type { Release } from "../../core/deployments/release.ts";
import { SealFailure, type MasterKey } from "../../core/seal/contract.ts";
import { createSealer, createTenantSealer } from "../../core/seal/seal.ts";
import { aead } from "../aead.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The key and where it counts. */
type Opened = { readonly key: Uint8Array; readonly about: string };

export class ContentSeal {
  readonly #live: () => Release | undefined;
  readonly #masterKeys: readonly MasterKey[];
  #of: Release | undefined;
  #opened: Opened | undefined;

  /** @param live  What is live; asked at each use, so it must be had without a query. */
  constructor(live: () => Release | undefined, masterKeys: readonly MasterKey[]) {
    this.#live = live;
    this.#masterKeys = masterKeys;
  }

  /** What is written now is sealed. */
  get seals(): boolean {
    return this.#live()?.content?.seals === true;
  }

  /** The key is here, and opens. */
  get opens(): boolean {
    try {
      return this.#key() !== undefined;
    } catch (e) {
      if (e instanceof SealFailure) return false;
      throw e;
    }
  }

  /** The text as it may be stored, or undefined when it is stored as it is. */
  seal(ref: string, text: string): string | undefined {
    if (!this.seals) return undefined;
    const { key, about } = this.#key();
    const nonce = randomBytes(NONCE_BYTES);
    const sealed = aead.seal(key, nonce, Buffer.from(text, "utf8"), aadOf(about, ref));
    return Buffer.concat([nonce, sealed]).toString("base64");
  }

  /** @throws SealFailure  for what was not sealed here for this ref, and where there is no key */
  open(ref: string, sealed: string): string {
    const { key, about } = this.#key();
    const bytes = Buffer.from(sealed, "base64");
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new SealFailure("malformed");
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const text = aead.open(key, nonce, bytes.subarray(NONCE_BYTES), aadOf(about, ref));
    if (text === undefined) throw new SealFailure("not_authentic");
    return Buffer.from(text).toString("utf8");
  }

  #key(): Opened {
    const release = this.#live();
    if (this.#opened !== undefined && this.#of === release) return this.#opened;
    const sealed = release?.content?.key;
    if (release === undefined || !sealed) throw new SealFailure("unknown_key");
    const { tenantId, tag } = release;
    const sealer = createTenantSealer(
      aead,
      createSealer(aead, this.#masterKeys),
      tenantId,
      release.dataKeys ?? [],
    );
    const shared = Buffer.from(sealer.open({ tenantId, ...SEALED_FOR }, sealed), "hex");
    const about = `${tenantId}|${SEALED_FOR.kind}|${tag}`;
    const key = createHmac("sha256", shared).update(about).digest();
    this.#opened = { key, about };
    this.#of = release;
    return this.#opened;
  }
}

function aadOf(about: string, ref: string): Uint8Array {
  return Buffer.from(`${about}|${ref}`, "utf8");
}
