import { rfc3339 } from "../clock.ts";
import type { Sealer } from "../seal/contract.ts";
import type { OpenableVersion, VerifiedSecret } from "./contract.ts";

/**
 * Which of a secret's versions a value is. Hashes are compared, all of them whichever fits, so that
 * the time it takes tells nothing of a value.
 *
 * @throws SealFailure
 */
export async function matching(
  { tenantId }: { readonly tenantId: string },
  versions: readonly OpenableVersion[],
  sealer: Sealer,
  value: string,
): Promise<VerifiedSecret> {
  const given = await sha256(value);
  let found: OpenableVersion | undefined;
  for (const version of versions) {
    const known = sealer.open({ tenantId, kind: "secret", id: version.id }, version.sealed);
    if (equal(given, await sha256(known))) found = version;
  }
  const endsAtMs = found?.endsAtMs ?? null;
  return {
    valid: found !== undefined,
    version: found?.version ?? null,
    ends_at: endsAtMs === null ? null : rfc3339(endsAtMs),
  };
}

async function sha256(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}
