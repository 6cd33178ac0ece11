/** The words of each mail: the link, the tenant's name, who invited. Nothing else, ever. */
import type { Mail, MailContent, MailPurpose } from "./contract.ts";

type Words = {
  readonly subject: (content: MailContent) => string;
  readonly lines: (content: MailContent) => readonly string[];
};

const IGNORE = "If this was not you, do nothing: nothing happens without the link.";

const WORDS: Readonly<Record<MailPurpose, Words>> = {
  invitation: {
    subject: ({ tenantName }) => `You are invited to ${tenantName}`,
    lines: ({ tenantName, from, link }) => [
      from === null ? `You are invited to ${tenantName}.` : `${from} invites you to ${tenantName}.`,
      "",
      "Open this link within seven days to choose a password and join:",
      link,
    ],
  },
  registration: {
    subject: ({ tenantName }) => `Confirm your e-mail address for ${tenantName}`,
    lines: ({ tenantName, link }) => [
      `Somebody registered at ${tenantName} with this address.`,
      "",
      "If it was you, open this link within a day:",
      link,
      "",
      IGNORE,
    ],
  },
  known: {
    subject: ({ tenantName }) => `You have an account at ${tenantName}`,
    lines: ({ tenantName, link }) => [
      `Somebody registered at ${tenantName} with this address, which has an account already.`,
      "",
      "Sign in, or choose a new password, here:",
      link,
    ],
  },
  verification: {
    subject: ({ tenantName }) => `Confirm your e-mail address for ${tenantName}`,
    lines: ({ tenantName, link }) => [
      `You signed up for ${tenantName}.`,
      "",
      "Open this link within three days to confirm that this address is yours:",
      link,
      "",
      IGNORE,
    ],
  },
  reset: {
    subject: ({ tenantName }) => `Choose a new password for ${tenantName}`,
    lines: ({ tenantName, link }) => [
      `Somebody asked for a new password at ${tenantName} with this address.`,
      "",
      "If it was you, open this link within an hour:",
      link,
      "",
      IGNORE,
    ],
  },
  welcome: {
    subject: ({ tenantName }) => `${tenantName} is ready`,
    lines: ({ tenantName, link }) => [
      `${tenantName} was set up, and you are its administrator.`,
      "",
      "Open this link within seven days to choose a password:",
      link,
    ],
  },
};

export function mailOf(id: string, content: MailContent): Mail {
  const { subject, lines } = WORDS[content.purpose];
  return { id, to: content.to, subject: subject(content), text: `${lines(content).join("\n")}\n` };
}
