/** Members of an answer that are shown once (DECISIONS 16). */
const SECRET_MEMBERS = new Set(["secret", "token", "ticket"]);

/** The answer as it may be stored: every secret member null, at whatever depth. */
export function withoutSecrets(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(withoutSecrets);
  if (typeof body !== "object" || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      SECRET_MEMBERS.has(name) && typeof value === "string" ? null : withoutSecrets(value),
    ]),
  );
}
