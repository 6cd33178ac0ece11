import { isId } from "../ids.ts";

/**
 * The idempotency key of an input, also when it is handed over again. It holds a space, which no
 * key of a request does: the two never meet.
 */
export function itemKey(batchId: string, item: number): string {
  return `${batchId} ${item}`;
}

/** The batch that an invocation with this key is an input of. */
export function batchOfKey(key: string | null): string | undefined {
  const [id = "", item] = key?.split(" ") ?? [];
  return item !== undefined && isId("batch", id) ? id : undefined;
}
