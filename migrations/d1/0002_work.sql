-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "agent" ADD COLUMN "paused_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "agent_environment" ADD COLUMN "homes" text;
--> statement-breakpoint
CREATE TABLE "batch" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "principal_id" text NOT NULL,
  "speaker" text NOT NULL,
  "idem" text,
  "fingerprint" text NOT NULL,
  "status" text NOT NULL,
  "total" integer NOT NULL,
  "error" text,
  "notices" text NOT NULL,
  "counts" text,
  "redriven_from" text,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  "completed_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "batch_idem" ON "batch" ("tenant_id", "speaker", "idem");
--> statement-breakpoint
CREATE INDEX "batch_status" ON "batch" ("status", "updated_at_ms");
--> statement-breakpoint
CREATE TABLE "batch_chunk" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "batch_id" text NOT NULL,
  "first" integer NOT NULL,
  "size" integer NOT NULL,
  "sealed_inputs" text,
  "outcomes" text,
  "handed" integer NOT NULL,
  "refused" integer NOT NULL,
  "dropped" integer NOT NULL,
  "revision" integer NOT NULL,
  "due_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "batch_chunk_batch" ON "batch_chunk" ("tenant_id", "batch_id", "first");
--> statement-breakpoint
CREATE INDEX "batch_chunk_due" ON "batch_chunk" ("due_at_ms");
--> statement-breakpoint
CREATE TABLE "batch_result" (
  "tenant_id" text NOT NULL,
  "batch_id" text NOT NULL,
  "invocation_id" text NOT NULL,
  "status" text NOT NULL,
  "completed_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "batch_id", "invocation_id")
) STRICT;
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
--> statement-breakpoint
CREATE TABLE "content_policy" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "requests_days" integer,
  "events_days" integer,
  "journals_days" integer,
  "usage_days" integer,
  "sealing" integer NOT NULL,
  "sealed_key" text,
  "swept_at_ms" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE TABLE "dead_letter" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "agent_id" text NOT NULL,
  "agent" text NOT NULL,
  "environment" text NOT NULL,
  "version" integer NOT NULL,
  "session_id" text NOT NULL,
  "status" text NOT NULL,
  "cause" text NOT NULL,
  "detail" text NOT NULL,
  "attempts" integer NOT NULL,
  "cost_micros" integer NOT NULL,
  "state" text NOT NULL,
  "taken_at_ms" integer,
  "redriven_to" text,
  "refused_code" text,
  "refused_detail" text,
  "created_at_ms" integer NOT NULL,
  "ended_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "dead_letter_state" ON "dead_letter" ("tenant_id", "state", "id");
--> statement-breakpoint
CREATE INDEX "dead_letter_agent" ON "dead_letter" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
CREATE TABLE "redrive" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "status" text NOT NULL,
  "agent_id" text,
  "environment" text,
  "cause" text,
  "letter_status" text,
  "per_minute" integer NOT NULL,
  "version" integer,
  "fresh" integer NOT NULL,
  "principal" text NOT NULL,
  "total" integer NOT NULL,
  "redriven" integer NOT NULL,
  "refused" integer NOT NULL,
  "position" text NOT NULL,
  "minute" integer NOT NULL,
  "in_minute" integer NOT NULL,
  "taken_until_ms" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "finished_at_ms" integer,
  "last_change_id" text NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "redrive_due" ON "redrive" ("status", "taken_until_ms");
--> statement-breakpoint
CREATE TABLE "schedule" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "cron" text NOT NULL,
  "zone" text NOT NULL,
  "input" text NOT NULL,
  "session_id" text,
  "max_cost_micros" integer,
  "missed" text NOT NULL,
  "paused_at_ms" integer,
  "next_ms" integer,
  "last_ms" integer,
  "created_by" text NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "schedule_next" ON "schedule" ("next_ms");
--> statement-breakpoint
CREATE TABLE "trigger_rule" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "agent_id" text NOT NULL,
  "environment" text NOT NULL,
  "statuses" text NOT NULL,
  "target_id" text NOT NULL,
  "target_environment" text NOT NULL,
  "input" text NOT NULL,
  "max_cost_micros" integer,
  "paused_at_ms" integer,
  "created_by" text NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "trigger_rule_agent" ON "trigger_rule" ("tenant_id", "agent_id", "environment");
--> statement-breakpoint
CREATE TABLE "firing" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "source_id" text NOT NULL,
  "occurrence" text NOT NULL,
  "outcome" text NOT NULL,
  "invocation_id" text,
  "code" text,
  "at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "firing_occurrence" ON "firing" ("tenant_id", "source_id", "occurrence");
--> statement-breakpoint
CREATE INDEX "firing_source" ON "firing" ("tenant_id", "source_id", "id");
--> statement-breakpoint
CREATE INDEX "firing_at" ON "firing" ("at_ms");
