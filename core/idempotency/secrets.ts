/** Members of an answer that are shown once (DECISIONS 16). */
const SECRET_MEMBERS = new Set(["secret", "token", "ticket"]);

/**
 * The answer as it may be stored: what is shown once is null.
 *
 * Looks at the answer's own members and at those of the resources directly in it
 * (`{tenant, admin, key: {secret}}`). Deeper is the tenant's own content, a spec for example, where
 * a member may have any name and must come back as it was.
 */
export function withoutSecrets(answer: unknown): unknown {
  return withoutOwn(answer, (member) => withoutOwn(member, (deeper) => deeper));
}

function withoutOwn(value: unknown, inside: (member: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      SECRET_MEMBERS.has(name) && typeof member === "string" ? null : inside(member),
    ]),
  );
}
