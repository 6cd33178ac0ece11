-- The control plane. Printed from the tables of core/ by `npm run migrations`.
CREATE TABLE "tenant" (
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "name" text NOT NULL,
  "status" text NOT NULL,
  "revision" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "tenant_slug" ON "tenant" ("slug");
--> statement-breakpoint
CREATE TABLE "environment" (
  "tenant_id" text NOT NULL,
  "slug" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "slug")
) STRICT;
--> statement-breakpoint
CREATE TABLE "user" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "email" text NOT NULL,
  "name" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "user_email" ON "user" ("tenant_id", "email");
--> statement-breakpoint
CREATE TABLE "member" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "user_id" text NOT NULL,
  "role" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "member_user" ON "member" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE TABLE "key" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "start" text NOT NULL,
  "secret_hash" text NOT NULL,
  "scopes" text NOT NULL,
  "agent_id" text,
  "environment" text,
  "created_by" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer,
  "revoked_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "key_id" ON "key" ("id");
--> statement-breakpoint
CREATE TABLE "agent" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "name" text NOT NULL,
  "description" text NOT NULL,
  "revision" integer NOT NULL,
  "latest_version" integer NOT NULL,
  "deployments" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  "deleted_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "agent_live_slug" ON "agent" ("tenant_id", "slug") WHERE deleted_at_ms is null;
--> statement-breakpoint
CREATE TABLE "draft" (
  "tenant_id" text NOT NULL,
  "agent_id" text NOT NULL,
  "spec" text NOT NULL,
  "revision" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "agent_id")
) STRICT;
--> statement-breakpoint
CREATE TABLE "version" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "number" integer NOT NULL,
  "spec_hash" text NOT NULL,
  "spec" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "version_number" ON "version" ("tenant_id", "agent_id", "number");
--> statement-breakpoint
CREATE UNIQUE INDEX "version_hash" ON "version" ("tenant_id", "agent_id", "spec_hash");
--> statement-breakpoint
CREATE TABLE "provider" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "kind" text NOT NULL,
  "base_url" text NOT NULL,
  "sealed_key" text,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "provider_slug" ON "provider" ("tenant_id", "slug");
--> statement-breakpoint
CREATE TABLE "deployment" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "version_id" text NOT NULL,
  "version" integer NOT NULL,
  "environment" text NOT NULL,
  "sequence" integer NOT NULL,
  "status" text NOT NULL,
  "error" text,
  "generation" integer,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "deployment_agent" ON "deployment" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
CREATE INDEX "deployment_change" ON "deployment" ("tenant_id", "last_change_id");
--> statement-breakpoint
CREATE TABLE "deployment_event" (
  "tenant_id" text NOT NULL,
  "deployment_id" text NOT NULL,
  "seq" integer NOT NULL,
  "status" text NOT NULL,
  "detail" text NOT NULL,
  "at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "deployment_id", "seq")
) STRICT;
--> statement-breakpoint
CREATE TABLE "agent_environment" (
  "tenant_id" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "deployment_id" text,
  "version_id" text,
  "version" integer,
  "sequence" integer NOT NULL,
  "generation" integer NOT NULL,
  "allocated" integer NOT NULL,
  "replicas" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "agent_id", "environment")
) STRICT;
--> statement-breakpoint
CREATE TABLE "runtime_object" (
  "tenant_id" text NOT NULL,
  "tag" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "replica" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "tag")
) STRICT;
--> statement-breakpoint
CREATE INDEX "runtime_object_tag" ON "runtime_object" ("tag");
--> statement-breakpoint
CREATE UNIQUE INDEX "runtime_object_name" ON "runtime_object" ("tenant_id", "agent_id", "environment", "replica");
--> statement-breakpoint
CREATE TABLE "outbox" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "kind" text NOT NULL,
  "subject" text NOT NULL,
  "attempts" integer NOT NULL,
  "due_at_ms" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "outbox_id" ON "outbox" ("id");
--> statement-breakpoint
CREATE INDEX "outbox_due" ON "outbox" ("due_at_ms");
--> statement-breakpoint
CREATE TABLE "invocation" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "agent" text NOT NULL,
  "version" integer NOT NULL,
  "environment" text NOT NULL,
  "session_id" text NOT NULL,
  "principal" text NOT NULL,
  "status" text NOT NULL,
  "error" text,
  "usage" text NOT NULL,
  "cost_micros" integer NOT NULL,
  "attempts" integer NOT NULL,
  "redriven_from" text,
  "created_at_ms" integer NOT NULL,
  "completed_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "invocation_agent" ON "invocation" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
CREATE INDEX "invocation_session" ON "invocation" ("tenant_id", "session_id", "id");
--> statement-breakpoint
CREATE TABLE "usage_record" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "invocation_id" text NOT NULL,
  "step" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "principal" text NOT NULL,
  "model" text NOT NULL,
  "input_tokens" integer NOT NULL,
  "output_tokens" integer NOT NULL,
  "estimated" integer NOT NULL,
  "cost_micros" integer NOT NULL,
  "at_ms" integer NOT NULL,
  "day" text NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "usage_record_invocation" ON "usage_record" ("tenant_id", "invocation_id");
--> statement-breakpoint
CREATE INDEX "usage_record_day" ON "usage_record" ("tenant_id", "day");
--> statement-breakpoint
CREATE TABLE "console_session" (
  "tenant_id" text NOT NULL,
  "token_hash" text NOT NULL,
  "key_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "token_hash")
) STRICT;
--> statement-breakpoint
CREATE INDEX "console_session_token" ON "console_session" ("token_hash");
--> statement-breakpoint
CREATE INDEX "console_session_expiry" ON "console_session" ("expires_at_ms");
--> statement-breakpoint
CREATE TABLE "ticket" (
  "tenant_id" text NOT NULL,
  "ticket_hash" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "principal" text NOT NULL,
  "expires_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "ticket_hash")
) STRICT;
--> statement-breakpoint
CREATE INDEX "ticket_expiry" ON "ticket" ("expires_at_ms");
--> statement-breakpoint
CREATE TABLE "idempotency" (
  "tenant_id" text NOT NULL,
  "principal" text NOT NULL,
  "route" text NOT NULL,
  "key" text NOT NULL,
  "fingerprint" text NOT NULL,
  "claim_id" text NOT NULL,
  "status" integer,
  "body" text,
  "claimed_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "principal", "route", "key")
) STRICT;
--> statement-breakpoint
CREATE INDEX "idempotency_expiry" ON "idempotency" ("expires_at_ms");
