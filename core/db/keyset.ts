import { type IdNoun, isId } from "../ids.ts";
import { decodeCursor } from "../page.ts";
import { Problem } from "../problem.ts";

/**
 * The id a page starts after, or undefined for the first page.
 *
 * @throws Problem `bad_request` when the cursor holds no id of `noun`: nothing a caller can write
 *         reaches the database unchecked (Postgres refuses a NUL in text with an error of its own).
 */
export function idAfter(noun: IdNoun, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const id = decodeCursor(cursor);
  if (isId(noun, id)) return id;
  throw new Problem("bad_request", "the cursor is not one of this list's", {
    errors: [{ pointer: "cursor", detail: "not a cursor of this list" }],
  });
}
