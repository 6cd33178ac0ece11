const HOUR_MS = 3_600_000;

/**
 * `registration`: somebody wants to become a user. `verification`: a user who signed up proves the
 * mailbox. `reset`: a new password. `welcome`: the first password of who was provisioned.
 */
export type ConfirmationPurpose = "registration" | "verification" | "reset" | "welcome";

/** How long a link counts; the mails say it in words. */
export const CONFIRMATION_MS: Readonly<Record<ConfirmationPurpose, number>> = {
  registration: 24 * HOUR_MS,
  verification: 72 * HOUR_MS,
  reset: HOUR_MS,
  welcome: 168 * HOUR_MS,
};

/** An open confirmation, as a link leads to it. */
export type Confirmation = {
  readonly id: string;
  readonly purpose: ConfirmationPurpose;
  readonly email: string;
  readonly userId: string | null;
  readonly name: string | null;
  readonly passwordHash: string | null;
};
