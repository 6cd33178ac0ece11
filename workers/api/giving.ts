/** Nobody gives away more than they hold (DECISIONS 25), by whatever they make. */
import { beyond } from "../../core/principals/beyond.ts";
import type { Principal, Scope } from "../../core/principals/contract.ts";
import type { Grant } from "../../core/principals/grants.ts";
import { Problem } from "../../core/problem.ts";

/** What something would be able to do; with statements, these say it all. */
export type Given = { readonly scopes: readonly Scope[]; readonly grants?: readonly Grant[] };

/**
 * @param pointer  Of the place in the input that gives it.
 * @throws Problem `forbidden` when it is more than the principal holds
 */
export function demandHeld(principal: Principal, given: Given, pointer: string): void {
  const parts =
    given.grants === undefined || given.grants.length === 0
      ? [{ scopes: given.scopes }]
      : given.grants.filter(({ effect }) => effect === "allow");
  const tooMuch = new Set(
    parts.flatMap((part) => beyond(principal, part.scopes, "when" in part ? part.when : undefined)),
  );
  if (tooMuch.size === 0) return;
  throw new Problem("forbidden", "it would be able to do more than you", {
    errors: [...tooMuch].map((scope) => ({ pointer, detail: `you do not hold ${scope}` })),
  });
}
