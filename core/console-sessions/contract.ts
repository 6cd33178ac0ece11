/** A signed-in browser, as the edge finds it; the key or the user behind it decides what it may. */
export type ConsoleSession = {
  readonly tenantId: string;
  /** Empty for a user's session. */
  readonly keyId: string;
  readonly userId: string | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
};

/** Twelve hours: a working day. */
export const CONSOLE_SESSION_MS = 12 * 3_600_000;
