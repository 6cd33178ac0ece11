/** Mail: one message to one person, by an HTTP API. What is in it is decided when it is sent. */

/** Why somebody is written to. */
export type MailPurpose =
  | "invitation"
  | "registration"
  | "known"
  | "verification"
  | "reset"
  | "welcome";

/** What a message is made of; nothing else can be in one. */
export type MailContent = {
  readonly purpose: MailPurpose;
  readonly to: string;
  readonly tenantName: string;
  /** Who invited, by name; null when it was no person. */
  readonly from: string | null;
  readonly link: string;
};

/** A message as it is sent. `id` is the same for every attempt: a receiver may tell repeats. */
export type Mail = {
  readonly id: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
};

/**
 * `later`: it may go through another time. `refused`: not this message, ever. Never throws.
 */
export type Sent = { readonly outcome: "sent" | "later" | "refused"; readonly detail: string };

export type SendMail = (mail: Mail) => Promise<Sent>;
