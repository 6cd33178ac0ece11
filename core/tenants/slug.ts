/**
 * What may stand left of the base domain. One list for provisioning and for host parsing, so a
 * name that cannot be served cannot be provisioned either.
 */
export const RESERVED_LABELS: ReadonlySet<string> = new Set([
  "api",
  "admin",
  "www",
  "console",
  "app",
  "static",
  "docs",
  "status",
  "auth",
  "mail",
]);

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Why `slug` cannot name a tenant, or undefined when it can.
 *
 * A DNS label of 3 to 63 characters in lower case. `xn--`, and any other label with dashes in
 * third and fourth place, is kept for IDNA (RFC 5891 §4.2.3.1): what a person reads there is not
 * what is written.
 */
export function slugFault(slug: string): string | undefined {
  if (slug.length < 3) return "at least 3 characters";
  if (slug.length > 63) return "at most 63 characters";
  if (!LABEL.test(slug)) return "only a-z, 0-9 and inner dashes";
  if (slug.slice(2, 4) === "--") return "no dashes in third and fourth place";
  if (RESERVED_LABELS.has(slug)) return "this name is reserved";
  return undefined;
}
