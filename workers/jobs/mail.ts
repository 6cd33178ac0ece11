/**
 * Mail that is owed, sent: at once by the request that owed it, and by the sweep for whatever a
 * crash or the far side's trouble left (core/mail/store.ts, M1 and M2).
 *
 * What a message says is looked up now, so it is never older than what it is about.
 */
import type { Config } from "../../core/config.ts";
import { findConfirmation } from "../../core/confirmations/store.ts";
import { acknowledgeOutbox } from "../../core/db/outbox.ts";
import { type PlatformScope, type TenantScope, tenantScope } from "../../core/db/scope.ts";
import { isId } from "../../core/ids.ts";
import { findOpenInvitation } from "../../core/invitations/store.ts";
import type { MailContent, MailPurpose } from "../../core/mail/contract.ts";
import { httpMail } from "../../core/mail/http.ts";
import { linkToken } from "../../core/mail/link.ts";
import { type OwedMail, postponeMail, takeDueMail, takeMail } from "../../core/mail/store.ts";
import { mailOf } from "../../core/mail/text.ts";
import { getTenant } from "../../core/tenants/store.ts";
import { findSignIn, getProfile } from "../../core/users/store.ts";
import type { Services } from "../edge/services.ts";
import { logFault } from "./batch.ts";

/** Taken at once: each may take ten seconds of a far side that hangs. */
const BATCH = 20;
const ROUNDS = 10;

type Sender = Pick<Services, "config" | "platform">;

/** Send one, right after it was owed. Never throws: the sweep tries again. */
export async function sendOwedMail(sender: Sender, id: string): Promise<void> {
  try {
    const taken = await takeMail(sender.platform, id, Date.now());
    for (const owed of taken) await send(sender, owed);
  } catch (error) {
    logFault("the sweep will send a mail", error);
  }
}

/** Send what is due. */
export async function sendDueMail(sender: Sender): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    const due = await takeDueMail(sender.platform, Date.now(), BATCH);
    await Promise.all(due.map((owed) => send(sender, owed)));
    if (due.length < BATCH) return;
  }
}

async function send({ config, platform }: Sender, owed: OwedMail): Promise<void> {
  const content = await contentOf(config, platform, owed);
  if (content === undefined) return acknowledgeOutbox(platform, owed.id);
  if (config.mail === undefined) return postponeMail(platform, owed, Date.now());
  // The address is the operator's own setting: no tenant has a say in it.
  const sent = await httpMail(
    (url, init) => fetch(url, init),
    config.mail,
  )(mailOf(owed.id, content));
  if (sent.outcome !== "sent") logFault(`mail ${owed.subject} ${sent.outcome}: ${sent.detail}`);
  if (sent.outcome === "later") return postponeMail(platform, owed, Date.now());
  return acknowledgeOutbox(platform, owed.id);
}

/** What there is to tell now; undefined when it has expired, was used, or is about nobody. */
async function contentOf(
  config: Config,
  platform: PlatformScope,
  { tenantId, subject }: OwedMail,
): Promise<MailContent | undefined> {
  const scope = tenantScope(platform, tenantId);
  const found = isId("invitation", subject)
    ? await invitationMail(scope, subject)
    : await confirmationMail(scope, subject);
  if (found === undefined) return undefined;
  const tenant = await getTenant(platform, tenantId);
  const { edition, page, ...of } = found;
  const token = await linkToken(config.masterKeys, { tenantId, id: subject, edition });
  const origin = `${config.scheme}://${tenant.slug}.${config.baseAuthority}`;
  // Behind the #: it reaches neither logs nor the pages that are left for another.
  const link = page === "" ? `${origin}/console` : `${origin}/console/${page}#token=${token}`;
  return { ...of, tenantName: tenant.name, link };
}

type Found = Omit<MailContent, "tenantName" | "link"> & {
  readonly edition: number;
  /** The console's page that takes the token; empty for a mail without one. */
  readonly page: string;
};

async function invitationMail(scope: TenantScope, id: string): Promise<Found | undefined> {
  const open = await findOpenInvitation(scope, id, Date.now());
  if (open === undefined) return undefined;
  const inviter = isId("user", open.invitedBy)
    ? await getProfile(scope, open.invitedBy).catch(() => undefined) // gone since
    : undefined;
  const from = inviter?.name ?? null;
  const { email: to, edition } = open;
  return { purpose: "invitation", to, from, edition, page: "invitation" };
}

const PAGES: Readonly<Record<string, readonly [purpose: MailPurpose, page: string]>> = {
  registration: ["registration", "verify"],
  verification: ["verification", "verify"],
  reset: ["reset", "reset"],
  welcome: ["welcome", "reset"],
};

async function confirmationMail(scope: TenantScope, id: string): Promise<Found | undefined> {
  const open = await findConfirmation(scope, id, Date.now());
  const [purpose, page] = PAGES[open?.purpose ?? ""] ?? [];
  if (open === undefined || purpose === undefined || page === undefined) return undefined;
  const of = { to: open.email, from: null, edition: 1 };
  const known = purpose === "registration" && (await findSignIn(scope, open.email)) !== undefined;
  return known ? { ...of, purpose: "known", page: "" } : { ...of, purpose, page };
}
