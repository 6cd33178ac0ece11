-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "agent_environment" ADD COLUMN "homes" text COLLATE "C";
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
