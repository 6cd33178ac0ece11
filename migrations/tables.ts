/** Every table of the control plane, in the order migrations make them. */
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import { assignment, role } from "../core/access/table.ts";
import { agent, draft } from "../core/agents/table.ts";
import { approval } from "../core/approvals/table.ts";
import { audit, auditCheckpoint } from "../core/audit/table.ts";
import { appClient, clientSecret } from "../core/clients/table.ts";
import { contentPolicy } from "../core/content/table.ts";
import { consoleSession } from "../core/console-sessions/table.ts";
import { dataKey } from "../core/data-keys/table.ts";
import { batch, batchChunk, batchResult } from "../core/batches/table.ts";
import { deadLetter, redrive } from "../core/dead-letters/table.ts";
import { branding } from "../core/branding/table.ts";
import { agentEnvironment, deployment, deploymentEvent } from "../core/deployments/table.ts";
import { environment } from "../core/environments/table.ts";
import { erasure } from "../core/erasure/table.ts";
import { confirmation } from "../core/confirmations/table.ts";
import { hostname } from "../core/hostnames/table.ts";
import { idempotency } from "../core/idempotency/table.ts";
import { invocation } from "../core/invocations/table.ts";
import { issuer } from "../core/issuers/table.ts";
import { invitation } from "../core/invitations/table.ts";
import { key } from "../core/keys/table.ts";
import { member } from "../core/members/table.ts";
import { project } from "../core/projects/table.ts";
import { provider } from "../core/providers/table.ts";
import { refreshToken } from "../core/refresh/table.ts";
import { ssoConnection, ssoIdentity, ssoSignIn } from "../core/sso/table.ts";
import { runtimeObject } from "../core/runtime-objects/table.ts";
import { secret, secretReference, secretVersion } from "../core/secrets/table.ts";
import { firing } from "../core/firings/table.ts";
import { schedule } from "../core/schedules/table.ts";
import { trigger } from "../core/triggers/table.ts";
import { tenant } from "../core/tenants/table.ts";
import { ticket } from "../core/tickets/table.ts";
import { transfer } from "../core/transfer/table.ts";
import { usageRecord } from "../core/usage/table.ts";
import { rateLimit } from "../core/limits/table.ts";
import { budget } from "../core/budgets/table.ts";
import { stop } from "../core/stops/table.ts";
import { user } from "../core/users/table.ts";
import { version } from "../core/versions/table.ts";
import { outbox } from "../core/db/outbox.ts";

/** The tenant's own row: it belongs to the tenant whose id it is. */
export const TENANT_TABLE: SQLiteTable = tenant;

export const TABLES: readonly SQLiteTable[] = [
  tenant,
  environment,
  user,
  member,
  key,
  agent,
  draft,
  version,
  provider,
  deployment,
  deploymentEvent,
  agentEnvironment,
  runtimeObject,
  outbox,
  invocation,
  batch,
  batchChunk,
  batchResult,
  usageRecord,
  consoleSession,
  ticket,
  idempotency,
  audit,
  appClient,
  clientSecret,
  issuer,
  ssoConnection,
  ssoSignIn,
  ssoIdentity,
  auditCheckpoint,
  dataKey,
  secret,
  secretVersion,
  secretReference,
  project,
  role,
  assignment,
  transfer,
  erasure,
  invitation,
  confirmation,
  refreshToken,
  branding,
  hostname,
  rateLimit,
  budget,
  stop,
  approval,
  contentPolicy,
  deadLetter,
  redrive,
  schedule,
  trigger,
  firing,
];
