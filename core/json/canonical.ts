/**
 * One text for one value: object keys in the order of their UTF-16 code units, no white space,
 * numbers and strings as ECMAScript writes them. Absent (`undefined`) members are left out.
 *
 * Lone surrogates are written as escapes, where RFC 8785 refuses them: two different strings stay
 * two different texts, which is all a hash needs.
 *
 * @param value  Plain data: what `JSON.parse` gives. Nesting is bounded before (64, at the edge).
 * @throws RangeError  for a number JSON cannot hold.
 * @source RFC 8785 §3.2
 */
export function canonical(value: unknown): string {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new RangeError("JSON has no such number");
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item ?? null)).join(",")}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(",")}}`;
}
