import type { ClaimRule } from "./contract.ts";

type Claims = Readonly<Record<string, unknown>>;

/** The rules that a person's claims meet, in their own order. Pure. */
export function matching<R extends Pick<ClaimRule, "claim" | "values">>(
  rules: readonly R[],
  claims: Claims,
): readonly R[] {
  return rules.filter(({ claim, values }) => {
    const said = saidBy(claims, claim);
    return values.some((value) => said.includes(value));
  });
}

/** What the claims say under a name or a pointer, as a list of texts. */
function saidBy(claims: Claims, name: string): readonly string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : pointedAt(claims, name);
  if (Array.isArray(value)) return value.filter((item) => typeof item === "string");
  // `scope` alone is a list in one text. @source RFC 8693 §4.2
  if (typeof value === "string") return name === "scope" ? value.split(" ") : [value];
  return typeof value === "boolean" || typeof value === "number" ? [String(value)] : [];
}

/** @source RFC 6901 */
function pointedAt(claims: Claims, pointer: string): unknown {
  if (!pointer.startsWith("/")) return undefined;
  let at: unknown = claims;
  for (const part of pointer.slice(1).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Claims)[key];
  }
  return at;
}
