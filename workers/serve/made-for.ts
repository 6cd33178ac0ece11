import type { Principal } from "../../core/principals/contract.ts";
import { Problem } from "../../core/problem.ts";

type Metadata = Readonly<Record<string, string>>;

/**
 * `user_id` names whom an invocation is made for, and limits and budgets of users count by it: a
 * person's own credential names nobody else, and a personal key its owner.
 *
 * @throws Problem `invalid`
 */
export function madeFor(
  { kind, id, ownerId }: Principal,
  metadata: Metadata | undefined,
): { readonly metadata?: Metadata } {
  const person = kind === "user" ? id : ownerId;
  const named = metadata?.["user_id"];
  if (person === undefined) return metadata === undefined ? {} : { metadata };
  if (named !== undefined && named !== person) {
    throw new Problem("invalid", "the body does not fit its schema", {
      errors: [{ pointer: "/metadata/user_id", detail: "the credential is another person's" }],
    });
  }
  if (kind === "user" && metadata === undefined) return {};
  return { metadata: { ...metadata, user_id: person } };
}
