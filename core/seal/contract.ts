/**
 * Authenticated encryption, synchronous so that it can run inside a transaction (DECISIONS 29).
 * WebCrypto is not; the shell hands in node:crypto (durable-objects/aead.ts).
 */
export type Aead = {
  /** Ciphertext with its tag at the end. `key` 32 bytes, `nonce` 12, never used twice with a key. */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** The plaintext, or `undefined` when key, nonce, text or additional data are not those sealed. */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    aad: Uint8Array,
  ): Uint8Array | undefined;
};

/** A sealing key, 32 bytes. The first of a list seals, all of them open. */
export type MasterKey = { readonly kid: string; readonly key: Uint8Array };

/** A tenant's data key under a master key: a blob of the kind `data_key`, safe to store and send. */
export type WrappedKey = { readonly id: string; readonly wrapped: string };

/** Whose secret it is and what it is: bound into the blob, so that it opens nowhere else. */
export type SealPlace = {
  readonly tenantId: string;
  /** `provider`, `secret`, `data_key`: the noun whose row holds the blob. */
  readonly kind: string;
  readonly id: string;
};

/** Seals and opens under a set of keys. */
export type Sealer = {
  /**
   * `v2.<data key id>.<nonce>.<ciphertext and tag>`, the last two base64url; `v1.<kid>…` directly
   * under a master key.
   */
  seal(place: SealPlace, text: string): string;
  /** @throws SealFailure  when the blob is not one sealed for this place by a key we hold. */
  open(place: SealPlace, blob: string): string;
};

/** A blob that does not open. A defect or an attack, never the caller's input: says no content. */
export class SealFailure extends Error {
  override readonly name = "SealFailure";
  readonly reason: "malformed" | "unknown_key" | "not_authentic";
  constructor(reason: SealFailure["reason"]) {
    super(`a sealed value does not open: ${reason}`);
    this.reason = reason;
  }
}
