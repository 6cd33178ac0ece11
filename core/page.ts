import { z } from "zod";
import { Problem } from "./problem.ts";

/**
 * A whole number as text has it: decimal digits and nothing else, neither sign nor space, hex nor
 * exponent. The documents call it an integer with its bounds.
 */
export function wholeNumber({ min, max }: { readonly min: number; readonly max: number }) {
  return z.preprocess(
    (text) => (typeof text === "string" && DIGITS.test(text) ? Number(text) : text),
    z.number({ error: "expected a whole number in digits" }).int().min(min).max(max),
  );
}

const DIGITS = /^\d{1,16}$/;

/** Query of every list: `?limit=` 1..100 (default 25) and an opaque `?cursor=`. */
export const PageQuery = z.strictObject({
  limit: wholeNumber({ min: 1, max: 100 }).default(25),
  cursor: z.string().max(256).optional(),
});
export type PageQuery = z.infer<typeof PageQuery>;

export type Page<T> = { readonly data: readonly T[]; readonly next_cursor: string | null };

/** Wrap the last row's sort key; ids sort by time, so one string is the whole position. */
export function encodeCursor(key: string): string {
  return btoa(key).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @throws Problem `bad_request` when the cursor was not made by `encodeCursor`. */
export function decodeCursor(cursor: string): string {
  try {
    return atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    throw new Problem("bad_request", "the cursor is not one of ours", {
      errors: [{ pointer: "cursor", detail: "not a cursor" }],
    });
  }
}

/**
 * Turn `limit + 1` rows into a page: the extra row only says that there is more.
 *
 * @param keyOf  The sort key of a row, the one the next query starts after.
 */
export function pageOf<T>(rows: readonly T[], limit: number, keyOf: (row: T) => string): Page<T> {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { data, next_cursor: more ? encodeCursor(keyOf(last)) : null };
}
