/** A signed-in browser, as the edge finds it; the key behind it decides what it may. */
export type ConsoleSession = {
  readonly tenantId: string;
  readonly keyId: string;
  readonly expiresAtMs: number;
};

/** Twelve hours: a working day. */
export const CONSOLE_SESSION_MS = 12 * 3_600_000;
