/**
 * What must be stepped over: literals, identifiers and comments, each to its end. A doubled quote
 * closes one literal and opens the next, which comes to the same.
 */
const OPAQUE = /'[^']*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\/|\?/g;

/** SQLite's `?` as Postgres's `$1`, `$2`, …; a `?` inside quotes or comments stays. */
export function numbered(sql: string): string {
  let count = 0;
  return sql.replace(OPAQUE, (piece) => {
    if (piece !== "?") return piece;
    count += 1;
    return `$${count}`;
  });
}
