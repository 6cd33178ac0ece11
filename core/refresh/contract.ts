const DAY_MS = 86_400_000;

/** A token that nobody uses for so long is over. */
export const REFRESH_IDLE_MS = 30 * DAY_MS;

/** A family is over after this, however often it was used. */
export const REFRESH_FAMILY_MS = 90 * DAY_MS;

/** What is put before the secret, so that a leak is found by its looks. */
export const REFRESH_PREFIX = "berth_refresh_";

/** The new token of a family, its only one that counts, and whose it is. */
export type Refreshed = {
  readonly token: string;
  readonly familyId: string;
  readonly userId: string;
  readonly scope: string | null;
  readonly beganAtMs: number;
};
