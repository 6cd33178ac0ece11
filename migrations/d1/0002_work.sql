-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "agent_environment" ADD COLUMN "homes" text;
--> statement-breakpoint
ALTER TABLE "usage_record" ADD COLUMN "project_id" text;
--> statement-breakpoint
ALTER TABLE "usage_record" ADD COLUMN "user_id" text;
--> statement-breakpoint
CREATE TABLE "rate_limit" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "level" text NOT NULL,
  "subject" text NOT NULL,
  "per" text NOT NULL,
  "most" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "rate_limit_aim" ON "rate_limit" ("tenant_id", "level", "subject", "per");
--> statement-breakpoint
CREATE TABLE "budget" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "level" text NOT NULL,
  "subject" text NOT NULL,
  "period" text NOT NULL,
  "amount_micros" integer NOT NULL,
  "warn_at_pct" text NOT NULL,
  "exhausted" text NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "budget_aim" ON "budget" ("tenant_id", "level", "subject", "period");
--> statement-breakpoint
CREATE TABLE "stop" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "level" text NOT NULL,
  "subject" text NOT NULL,
  "reason" text NOT NULL,
  "created_by" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "reached_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "stop_aim" ON "stop" ("tenant_id", "level", "subject");
--> statement-breakpoint
CREATE INDEX "stop_unreached" ON "stop" ("tenant_id", "created_at_ms") WHERE reached_at_ms is null;
--> statement-breakpoint
CREATE TABLE "approval" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "agent" text NOT NULL,
  "environment" text NOT NULL,
  "invocation_id" text NOT NULL,
  "kind" text NOT NULL,
  "name" text NOT NULL,
  "status" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  "decided_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "approval_status" ON "approval" ("tenant_id", "status", "id");
