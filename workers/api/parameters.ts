import { z } from "zod";
import { IdOrSlug } from "../../core/names.ts";
import { wholeNumber } from "../../core/page.ts";

/** An id as it comes. Its exact form is the store's business: a miss is a miss. */
export const Id = z.string().min(1).max(80);

/** `:id` of a noun that has no slug. */
export const ById = z.object({ id: Id });

/** `:id` of a noun that may be named by its slug as well. */
export const ByIdOrSlug = z.object({ id: IdOrSlug });

export const ByVersion = ByIdOrSlug.extend({
  number: wholeNumber({ min: 1, max: 1_000_000_000 }),
});

/**
 * The revision a change is meant for, as `If-Match: "7"`.
 *
 * @source RFC 9110 §13.1.1 (412 when stale), RFC 6585 §3 (428 when missing)
 */
export const AtRevision = z.object({
  "if-match": z
    .string({ error: "required" })
    .max(20)
    .regex(/^"[1-9][0-9]{0,14}"$/, 'expected the ETag you read, like "3"')
    .transform((tag) => Number(tag.slice(1, -1))),
});

/** `ETag` of a row at its revision. */
export function etag(revision: number): { readonly etag: string } {
  return { etag: `"${revision}"` };
}

/** A page of `item`, for the documents. */
export function pageSchema(item: z.ZodType) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}
