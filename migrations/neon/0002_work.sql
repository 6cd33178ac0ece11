-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "agent" ADD COLUMN "paused_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "agent_environment" ADD COLUMN "homes" text COLLATE "C";
--> statement-breakpoint
CREATE TABLE "batch" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "principal_id" text COLLATE "C" NOT NULL,
  "speaker" text COLLATE "C" NOT NULL,
  "idem" text COLLATE "C",
  "fingerprint" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "total" bigint NOT NULL,
  "error" text COLLATE "C",
  "notices" text COLLATE "C" NOT NULL,
  "counts" text COLLATE "C",
  "redriven_from" text COLLATE "C",
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  "completed_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "batch_idem" ON "batch" ("tenant_id", "speaker", "idem");
--> statement-breakpoint
CREATE INDEX "batch_status" ON "batch" ("status", "updated_at_ms");
--> statement-breakpoint
ALTER TABLE "batch" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "batch" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "batch" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "batch" TO berth_app;
--> statement-breakpoint
CREATE TABLE "batch_chunk" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "batch_id" text COLLATE "C" NOT NULL,
  "first" bigint NOT NULL,
  "size" bigint NOT NULL,
  "sealed_inputs" text COLLATE "C",
  "outcomes" text COLLATE "C",
  "handed" bigint NOT NULL,
  "refused" bigint NOT NULL,
  "dropped" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "due_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "batch_chunk_batch" ON "batch_chunk" ("tenant_id", "batch_id", "first");
--> statement-breakpoint
CREATE INDEX "batch_chunk_due" ON "batch_chunk" ("due_at_ms");
--> statement-breakpoint
ALTER TABLE "batch_chunk" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "batch_chunk" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "batch_chunk" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "batch_chunk" TO berth_app;
--> statement-breakpoint
CREATE TABLE "batch_result" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "batch_id" text COLLATE "C" NOT NULL,
  "invocation_id" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "completed_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "batch_id", "invocation_id")
);
--> statement-breakpoint
ALTER TABLE "batch_result" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "batch_result" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "batch_result" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "batch_result" TO berth_app;
--> statement-breakpoint
ALTER TABLE "usage_record" ADD COLUMN "project_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "usage_record" ADD COLUMN "user_id" text COLLATE "C";
--> statement-breakpoint
CREATE TABLE "rate_limit" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "level" text COLLATE "C" NOT NULL,
  "subject" text COLLATE "C" NOT NULL,
  "per" text COLLATE "C" NOT NULL,
  "most" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "rate_limit_aim" ON "rate_limit" ("tenant_id", "level", "subject", "per");
--> statement-breakpoint
ALTER TABLE "rate_limit" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "rate_limit" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "rate_limit" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "rate_limit" TO berth_app;
--> statement-breakpoint
CREATE TABLE "budget" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "level" text COLLATE "C" NOT NULL,
  "subject" text COLLATE "C" NOT NULL,
  "period" text COLLATE "C" NOT NULL,
  "amount_micros" bigint NOT NULL,
  "warn_at_pct" text COLLATE "C" NOT NULL,
  "exhausted" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "budget_aim" ON "budget" ("tenant_id", "level", "subject", "period");
--> statement-breakpoint
ALTER TABLE "budget" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "budget" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "budget" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "budget" TO berth_app;
--> statement-breakpoint
CREATE TABLE "stop" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "level" text COLLATE "C" NOT NULL,
  "subject" text COLLATE "C" NOT NULL,
  "reason" text COLLATE "C" NOT NULL,
  "created_by" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "reached_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "stop_aim" ON "stop" ("tenant_id", "level", "subject");
--> statement-breakpoint
CREATE INDEX "stop_unreached" ON "stop" ("tenant_id", "created_at_ms") WHERE reached_at_ms is null;
--> statement-breakpoint
ALTER TABLE "stop" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "stop" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "stop" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "stop" TO berth_app;
--> statement-breakpoint
CREATE TABLE "approval" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "agent" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "invocation_id" text COLLATE "C" NOT NULL,
  "kind" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  "decided_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "approval_status" ON "approval" ("tenant_id", "status", "id");
--> statement-breakpoint
ALTER TABLE "approval" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "approval" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "approval" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "approval" TO berth_app;
--> statement-breakpoint
CREATE TABLE "content_policy" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "requests_days" bigint,
  "events_days" bigint,
  "journals_days" bigint,
  "usage_days" bigint,
  "sealing" bigint NOT NULL,
  "sealed_key" text COLLATE "C",
  "swept_at_ms" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
ALTER TABLE "content_policy" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "content_policy" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "content_policy" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "content_policy" TO berth_app;
--> statement-breakpoint
CREATE TABLE "dead_letter" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "agent" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "version" bigint NOT NULL,
  "session_id" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "cause" text COLLATE "C" NOT NULL,
  "detail" text COLLATE "C" NOT NULL,
  "attempts" bigint NOT NULL,
  "cost_micros" bigint NOT NULL,
  "state" text COLLATE "C" NOT NULL,
  "taken_at_ms" bigint,
  "redriven_to" text COLLATE "C",
  "refused_code" text COLLATE "C",
  "refused_detail" text COLLATE "C",
  "created_at_ms" bigint NOT NULL,
  "ended_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "dead_letter_state" ON "dead_letter" ("tenant_id", "state", "id");
--> statement-breakpoint
CREATE INDEX "dead_letter_agent" ON "dead_letter" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
ALTER TABLE "dead_letter" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "dead_letter" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "dead_letter" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "dead_letter" TO berth_app;
--> statement-breakpoint
CREATE TABLE "redrive" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C",
  "environment" text COLLATE "C",
  "cause" text COLLATE "C",
  "letter_status" text COLLATE "C",
  "per_minute" bigint NOT NULL,
  "version" bigint,
  "fresh" bigint NOT NULL,
  "principal" text COLLATE "C" NOT NULL,
  "total" bigint NOT NULL,
  "redriven" bigint NOT NULL,
  "refused" bigint NOT NULL,
  "position" text COLLATE "C" NOT NULL,
  "minute" bigint NOT NULL,
  "in_minute" bigint NOT NULL,
  "taken_until_ms" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "finished_at_ms" bigint,
  "last_change_id" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "redrive_due" ON "redrive" ("status", "taken_until_ms");
--> statement-breakpoint
ALTER TABLE "redrive" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "redrive" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "redrive" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "redrive" TO berth_app;
--> statement-breakpoint
CREATE TABLE "schedule" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "cron" text COLLATE "C" NOT NULL,
  "zone" text COLLATE "C" NOT NULL,
  "input" text COLLATE "C" NOT NULL,
  "session_id" text COLLATE "C",
  "max_cost_micros" bigint,
  "missed" text COLLATE "C" NOT NULL,
  "paused_at_ms" bigint,
  "next_ms" bigint,
  "last_ms" bigint,
  "created_by" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "schedule_next" ON "schedule" ("next_ms");
--> statement-breakpoint
ALTER TABLE "schedule" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "schedule" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "schedule" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "schedule" TO berth_app;
--> statement-breakpoint
CREATE TABLE "trigger_rule" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "statuses" text COLLATE "C" NOT NULL,
  "target_id" text COLLATE "C" NOT NULL,
  "target_environment" text COLLATE "C" NOT NULL,
  "input" text COLLATE "C" NOT NULL,
  "max_cost_micros" bigint,
  "paused_at_ms" bigint,
  "created_by" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "trigger_rule_agent" ON "trigger_rule" ("tenant_id", "agent_id", "environment");
--> statement-breakpoint
ALTER TABLE "trigger_rule" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "trigger_rule" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "trigger_rule" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "trigger_rule" TO berth_app;
--> statement-breakpoint
CREATE TABLE "firing" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "source_id" text COLLATE "C" NOT NULL,
  "occurrence" text COLLATE "C" NOT NULL,
  "outcome" text COLLATE "C" NOT NULL,
  "invocation_id" text COLLATE "C",
  "code" text COLLATE "C",
  "at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "firing_occurrence" ON "firing" ("tenant_id", "source_id", "occurrence");
--> statement-breakpoint
CREATE INDEX "firing_source" ON "firing" ("tenant_id", "source_id", "id");
--> statement-breakpoint
CREATE INDEX "firing_at" ON "firing" ("at_ms");
--> statement-breakpoint
ALTER TABLE "firing" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "firing" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "firing" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "firing" TO berth_app;
