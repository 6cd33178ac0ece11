import type { ProblemCode } from "../problem.ts";
import { withinRanges } from "./addresses.ts";
import type { KeyCode } from "./contract.ts";
import type { KeyRow } from "./store.ts";

/** Where a key is used from, as far as that is known. */
export type Whence = {
  readonly address: string | null;
  /** The `Origin` header, as it stands. */
  readonly origin: string | null;
};

export type KeyFault = { readonly code: ProblemCode; readonly detail: string };

/** Why a key is worth nothing now, wherever it is used; undefined while it is. */
export function lapseOf(
  row: Pick<KeyRow, "revokedAtMs" | "disabledAtMs" | "expiresAtMs">,
  nowMs: number,
): KeyFault | undefined {
  if (row.revokedAtMs !== null) return { code: "key_revoked", detail: "this key was revoked" };
  if (row.disabledAtMs !== null) {
    return { code: "key_disabled", detail: "this key is switched off" };
  }
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) {
    return { code: "token_expired", detail: "this key has expired" };
  }
  return undefined;
}

/** Why a key may not be used from there; one whose place is not known is refused. */
export function misplaced(
  row: Pick<KeyRow, "allowedIps" | "allowedOrigins">,
  whence: () => Whence,
): KeyFault | undefined {
  if (row.allowedIps === null && row.allowedOrigins === null) return undefined;
  const { address, origin } = whence();
  if (row.allowedIps !== null && !withinRanges(address, row.allowedIps)) {
    return { code: "address_refused", detail: "this key may not be used from this address" };
  }
  if (row.allowedOrigins !== null && (origin === null || !row.allowedOrigins.includes(origin))) {
    return { code: "origin_refused", detail: "this key may not be used from this origin" };
  }
  return undefined;
}

/** A refusal in the words of the verify route. */
export function keyCodeOf(code: ProblemCode): KeyCode {
  return KEY_CODES[code] ?? "FORBIDDEN";
}

const KEY_CODES: Partial<Record<ProblemCode, KeyCode>> = {
  key_revoked: "REVOKED",
  key_disabled: "DISABLED",
  token_expired: "EXPIRED",
  rate_limited: "RATE_LIMITED",
  budget_exceeded: "USAGE_EXCEEDED",
  forbidden: "INSUFFICIENT_PERMISSIONS",
};
