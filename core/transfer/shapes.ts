/**
 * What the columns of a row hold, where their type does not tell: a file is not trusted (I2), and a
 * row whose JSON is of another shape would be a defect for whoever reads it, long after the import.
 * A column of JSON without a shape fails a test.
 */
import { z } from "zod";
import { AssigneeKind, Statement } from "../access/contract.ts";
import { Tag } from "../agents/contract.ts";
import { AgentSpec } from "../agents/spec.ts";
import { BatchCounts, BatchNotice, BatchStatus, Outcome } from "../batches/contract.ts";
import { LOGO_TYPES, SchemeColours } from "../branding/contract.ts";
import { ClaimRules } from "../claim-rules/contract.ts";
import { DeploymentStatus } from "../deployments/contract.ts";
import { InvocationStatus, InvokeBody, Usage } from "../invocations/contract.ts";
import { Level, LimitPer } from "../limits/contract.ts";
import { Period } from "../budgets/contract.ts";
import { Issuer } from "../issuers/contract.ts";
import { KeyRateLimit } from "../keys/contract.ts";
import { TENANT_SCOPES } from "../principals/contract.ts";
import { Provider } from "../providers/contract.ts";
import { SsoConnection } from "../sso/contract.ts";
import { Trigger } from "../triggers/contract.ts";
import { FLAGS, LocationHint, Registration, TenantStatus } from "../tenants/contract.ts";

/** None of the platform's own: what a file brings is a tenant's. */
const Scopes = z.array(z.enum(TENANT_SCOPES));
const Units = z.number().int().min(0);
const Texts = z.array(z.string().max(1000)).max(1000);

const Rates = z
  .array(z.strictObject({ limit: KeyRateLimit.shape.limit, periodMs: Units.min(1) }))
  .max(100);

const Credits = z.strictObject({
  units: Units,
  revision: Units,
  setAtMs: Units,
  refill: z.strictObject({ amount: Units, intervalMs: Units.min(1) }).nullable(),
});

const Fault = z.object({ code: z.string().max(100), detail: z.string() });

const Homes = z.strictObject({
  tags: z.array(z.string().regex(/^[0-9a-z]{6}$/)).max(1000),
  sizes: z.array(Units.min(1)).max(10_000),
});

/** By table and column: of JSON its value, of text the text itself. Null is the column's matter. */
export const SHAPES: Readonly<Record<string, z.ZodType>> = {
  "tenant.status": TenantStatus,
  "tenant.location": LocationHint,
  "tenant.flags": z.partialRecord(z.enum(FLAGS), z.boolean()),
  "tenant.registration": Registration,
  "agent.tags": z.array(Tag).max(100),
  "draft.spec": AgentSpec,
  "version.spec": AgentSpec,
  "deployment.status": DeploymentStatus,
  "deployment.error": Fault,
  "deployment_event.status": DeploymentStatus,
  "agent_environment.homes": Homes,
  "key.scopes": Scopes,
  "key.allowed_origins": Texts,
  "key.allowed_ips": Texts,
  "key.rate_limits": Rates,
  "key.credits": Credits,
  "key.metadata": z.record(z.string().max(64), z.string().max(512)),
  "app_client.scopes": Scopes,
  "role.statements": z.array(Statement).max(1000),
  "assignment.principal_kind": AssigneeKind,
  "provider.kind": Provider.shape.kind,
  "issuer.alg": Issuer.shape.alg,
  "issuer.typ": Issuer.shape.typ,
  "issuer.mappings": ClaimRules,
  "sso_connection.auth_method": SsoConnection.shape.auth_method,
  "sso_connection.scopes": Texts,
  "sso_connection.email_domains": Texts,
  "sso_connection.mappings": SsoConnection.shape.mappings,
  "branding.light": SchemeColours,
  "branding.dark": SchemeColours,
  "branding.logo_type": z.enum(LOGO_TYPES),
  "invocation.status": InvocationStatus,
  "invocation.error": Fault,
  "invocation.usage": Usage,
  "batch.status": BatchStatus,
  "batch.error": Fault,
  "batch.notices": z.array(BatchNotice).max(100),
  "batch.counts": BatchCounts,
  "batch_chunk.outcomes": z.array(Outcome).max(1000),
  "batch_result.status": InvocationStatus,
  "rate_limit.level": Level,
  "rate_limit.per": LimitPer,
  "budget.level": Level,
  "budget.period": Period,
  "budget.warn_at_pct": z.array(Units).max(100),
  "budget.exhausted": z.enum(["fail", "wait"]),
  "stop.level": Level,
  "schedule.input": InvokeBody.shape.input,
  "trigger_rule.statuses": Trigger.shape.statuses,
  "audit.result": z.enum(["done", "refused"]),
};
