/**
 * What an export takes of each table, and why not of some. A table without a rule fails a test and
 * every export: nothing of a tenant is left behind by oversight.
 */

/** Where the value in a column is sealed for (core/seal): the kind, and the column with the id. */
export type SealedFor = { readonly kind: string; readonly id: string };

export type Rule =
  | {
      readonly take: "exported";
      /** Sealed columns: opened, and wrapped under the passphrase; null without one. */
      readonly sealed?: Readonly<Record<string, SealedFor>>;
      /** Rows read at once, where they are large. */
      readonly pageRows?: number;
    }
  /** `derived`: made anew from what is exported. `ephemeral`: over before it arrives. */
  | { readonly take: "derived" | "ephemeral"; readonly why: string };

const EXPORTED: Rule = { take: "exported" };
/** A spec has up to 1 MiB. */
const SPECS: Rule = { take: "exported", pageRows: 20 };

function ephemeral(why: string): Rule {
  return { take: "ephemeral", why };
}

function derived(why: string): Rule {
  return { take: "derived", why };
}

export const RULES: Readonly<Record<string, Rule>> = {
  tenant: EXPORTED,
  environment: EXPORTED,
  user: EXPORTED,
  member: EXPORTED,
  key: EXPORTED,
  agent: EXPORTED,
  draft: SPECS,
  version: SPECS,
  provider: { take: "exported", sealed: { sealed_key: { kind: "provider", id: "id" } } },
  deployment: EXPORTED,
  deployment_event: EXPORTED,
  agent_environment: EXPORTED,
  runtime_object: EXPORTED,
  invocation: EXPORTED,
  batch: EXPORTED,
  batch_chunk: {
    take: "exported",
    sealed: { sealed_inputs: { kind: "batch_chunk", id: "id" } },
    pageRows: 10,
  },
  batch_result: EXPORTED,
  approval: EXPORTED,
  schedule: EXPORTED,
  trigger_rule: EXPORTED,
  firing: EXPORTED,
  usage_record: EXPORTED,
  audit: EXPORTED,
  audit_checkpoint: EXPORTED,
  app_client: EXPORTED,
  client_secret: EXPORTED,
  issuer: { take: "exported", sealed: { sealed_secret: { kind: "issuer", id: "id" } } },
  sso_connection: {
    take: "exported",
    sealed: { sealed_secret: { kind: "sso", id: "id" } },
  },
  sso_identity: EXPORTED,
  branding: EXPORTED,
  project: EXPORTED,
  role: EXPORTED,
  assignment: EXPORTED,
  secret: EXPORTED,
  rate_limit: EXPORTED,
  budget: EXPORTED,
  stop: EXPORTED,
  secret_version: { take: "exported", sealed: { sealed: { kind: "secret", id: "id" } } },
  secret_reference: EXPORTED,
  data_key: derived("sealed under this platform's master key; the other platform makes its own"),
  content_policy: {
    take: "exported",
    sealed: { sealed_key: { kind: "content", id: "id" } },
  },
  dead_letter: EXPORTED,
  redrive: ephemeral("work of this platform's sweep; ask for it at the other one"),
  outbox: ephemeral("wake-ups of this platform's queues; what they tell of is in its own row"),
  console_session: ephemeral("a sign-in at this host; people sign in again"),
  hostname: ephemeral("proven to this platform and led to it; prove it to the other one"),
  refresh_token: ephemeral("a sign-in at this host; people sign in again"),
  invitation: ephemeral("its link leads to this host, for some days; invite again"),
  confirmation: ephemeral("its link leads to this host, for some hours"),
  sso_sign_in: ephemeral("a sign-in that is under way at this host, for some minutes"),
  ticket: ephemeral("good for 30 seconds"),
  idempotency: ephemeral("answers kept for 24 hours, to clients of this host"),
  transfer: ephemeral("this platform's record of what it gave out and took in"),
  erasure: ephemeral("this platform's record of what it erased"),
};
