/** A logo as it is kept: of the kind it says, and safe to show. */
import { LOGO_TYPES, type LogoType } from "./contract.ts";
import { safeSvg } from "./svg.ts";

export type Logo = { readonly type: LogoType; readonly bytes: Uint8Array<ArrayBuffer> };

/** What stands where in a file of each kind; of a byte a character. */
const SIGNATURES: Readonly<
  Record<Exclude<LogoType, "image/svg+xml">, readonly (readonly [number, string])[]>
> = {
  "image/png": [[0, "\x89PNG\r\n\x1a\n"]],
  "image/jpeg": [[0, "\xff\xd8\xff"]],
  "image/webp": [
    [0, "RIFF"],
    [8, "WEBPVP8"],
  ],
};
const HEAD = 16;

/** The kinds a `Content-Type` may name; parameters are ignored. */
export function logoType(contentType: string | null): LogoType | undefined {
  const named = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return LOGO_TYPES.find((type) => type === named);
}

/** The logo to keep, or what is wrong with the file. An SVG is written anew. */
export function logoOf(type: LogoType, bytes: Uint8Array): Logo | { readonly fault: string } {
  if (type !== "image/svg+xml") {
    const head = String.fromCharCode(...bytes.subarray(0, HEAD));
    if (!SIGNATURES[type].every(([at, sign]) => head.startsWith(sign, at)))
      return { fault: `the file is no ${type}` };
    return { type, bytes: new Uint8Array(bytes) };
  }
  const text = utf8(bytes);
  if (text === undefined) return { fault: "the drawing is not UTF-8" };
  const safe = safeSvg(text);
  if (!safe.ok) return { fault: `the drawing ${safe.fault}` };
  return { type, bytes: new Uint8Array(new TextEncoder().encode(safe.svg)) };
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
