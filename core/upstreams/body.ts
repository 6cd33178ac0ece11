import type { StoredBody } from "./contract.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const PIECE = 0x8000;

/** Bytes as JSON keeps them; null for none. */
export function storedBody(bytes: Uint8Array): StoredBody | null {
  if (bytes.length === 0) return null;
  try {
    return { encoding: "text", data: utf8.decode(bytes) };
  } catch {
    return { encoding: "base64", data: btoa(binaryOf(bytes)) };
  }
}

/** The very bytes that were stored. */
export function bytesOf(body: StoredBody | null): Uint8Array | null {
  if (body === null) return null;
  if (body.encoding === "text") return new TextEncoder().encode(body.data);
  return fromBinary(atob(body.data));
}

/** A character per byte: what is taken out of it is taken out of the bytes. */
export function binaryOf(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    binary += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return binary;
}

/** The inverse of `binaryOf`. */
export function fromBinary(binary: string): Uint8Array {
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Pieces as one. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
