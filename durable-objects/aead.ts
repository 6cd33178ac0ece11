import { createCipheriv, createDecipheriv } from "node:crypto";
import type { Aead } from "../core/seal/contract.ts";

const CIPHER = "aes-256-gcm";
const TAG_BYTES = 16;

/** AES-256-GCM of node:crypto, which unlike WebCrypto answers at once. */
export const aead: Aead = {
  seal(key, nonce, plaintext, aad) {
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad);
    return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  },
  open(key, nonce, sealed, aad) {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const start = decipher.update(sealed.subarray(0, -TAG_BYTES));
    try {
      return Buffer.concat([start, decipher.final()]);
    } catch {
      return undefined; // the tag does not fit; nothing of `start` gets out
    }
  },
};
