-- The control plane. Printed from the tables of core/ by `npm run migrations`.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'berth_app') THEN
    CREATE ROLE berth_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
  END IF;
END $$;
--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO berth_app;
--> statement-breakpoint
GRANT berth_app TO CURRENT_USER;
--> statement-breakpoint
CREATE TABLE "tenant" (
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "tenant_slug" ON "tenant" ("slug");
--> statement-breakpoint
ALTER TABLE "tenant" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "tenant" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "tenant" USING (id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "tenant" TO berth_app;
--> statement-breakpoint
CREATE TABLE "environment" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "slug")
);
--> statement-breakpoint
ALTER TABLE "environment" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "environment" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "environment" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "environment" TO berth_app;
--> statement-breakpoint
CREATE TABLE "user" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "email" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "user_email" ON "user" ("tenant_id", "email");
--> statement-breakpoint
ALTER TABLE "user" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "user" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "user" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "user" TO berth_app;
--> statement-breakpoint
CREATE TABLE "member" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "user_id" text COLLATE "C" NOT NULL,
  "role" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "member_user" ON "member" ("tenant_id", "user_id");
--> statement-breakpoint
ALTER TABLE "member" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "member" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "member" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "member" TO berth_app;
--> statement-breakpoint
CREATE TABLE "key" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "start" text COLLATE "C" NOT NULL,
  "secret_hash" text COLLATE "C" NOT NULL,
  "scopes" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C",
  "environment" text COLLATE "C",
  "created_by" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint,
  "revoked_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "key_id" ON "key" ("id");
--> statement-breakpoint
ALTER TABLE "key" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "key" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "key" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "key" TO berth_app;
--> statement-breakpoint
CREATE TABLE "agent" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "description" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "latest_version" bigint NOT NULL,
  "deployments" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  "deleted_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "agent_live_slug" ON "agent" ("tenant_id", "slug") WHERE deleted_at_ms is null;
--> statement-breakpoint
ALTER TABLE "agent" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "agent" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "agent" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "agent" TO berth_app;
--> statement-breakpoint
CREATE TABLE "draft" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "spec" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "agent_id")
);
--> statement-breakpoint
ALTER TABLE "draft" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "draft" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "draft" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "draft" TO berth_app;
--> statement-breakpoint
CREATE TABLE "version" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "number" bigint NOT NULL,
  "spec_hash" text COLLATE "C" NOT NULL,
  "spec" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "version_number" ON "version" ("tenant_id", "agent_id", "number");
--> statement-breakpoint
CREATE UNIQUE INDEX "version_hash" ON "version" ("tenant_id", "agent_id", "spec_hash");
--> statement-breakpoint
ALTER TABLE "version" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "version" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "version" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "version" TO berth_app;
--> statement-breakpoint
CREATE TABLE "provider" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "kind" text COLLATE "C" NOT NULL,
  "base_url" text COLLATE "C" NOT NULL,
  "sealed_key" text COLLATE "C",
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "provider_slug" ON "provider" ("tenant_id", "slug");
--> statement-breakpoint
ALTER TABLE "provider" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "provider" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "provider" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "provider" TO berth_app;
--> statement-breakpoint
CREATE TABLE "deployment" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "version_id" text COLLATE "C" NOT NULL,
  "version" bigint NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "sequence" bigint NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "error" text COLLATE "C",
  "generation" bigint,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "deployment_agent" ON "deployment" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
CREATE INDEX "deployment_change" ON "deployment" ("tenant_id", "last_change_id");
--> statement-breakpoint
ALTER TABLE "deployment" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "deployment" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "deployment" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "deployment" TO berth_app;
--> statement-breakpoint
CREATE TABLE "deployment_event" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "deployment_id" text COLLATE "C" NOT NULL,
  "seq" bigint NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "detail" text COLLATE "C" NOT NULL,
  "at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "deployment_id", "seq")
);
--> statement-breakpoint
ALTER TABLE "deployment_event" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "deployment_event" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "deployment_event" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "deployment_event" TO berth_app;
--> statement-breakpoint
CREATE TABLE "agent_environment" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "deployment_id" text COLLATE "C",
  "version_id" text COLLATE "C",
  "version" bigint,
  "sequence" bigint NOT NULL,
  "generation" bigint NOT NULL,
  "allocated" bigint NOT NULL,
  "replicas" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "agent_id", "environment")
);
--> statement-breakpoint
ALTER TABLE "agent_environment" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "agent_environment" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "agent_environment" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "agent_environment" TO berth_app;
--> statement-breakpoint
CREATE TABLE "runtime_object" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "tag" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "replica" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "tag")
);
--> statement-breakpoint
CREATE INDEX "runtime_object_tag" ON "runtime_object" ("tag");
--> statement-breakpoint
CREATE UNIQUE INDEX "runtime_object_name" ON "runtime_object" ("tenant_id", "agent_id", "environment", "replica");
--> statement-breakpoint
ALTER TABLE "runtime_object" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "runtime_object" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "runtime_object" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "runtime_object" TO berth_app;
--> statement-breakpoint
CREATE TABLE "outbox" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "kind" text COLLATE "C" NOT NULL,
  "subject" text COLLATE "C" NOT NULL,
  "attempts" bigint NOT NULL,
  "due_at_ms" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "outbox_id" ON "outbox" ("id");
--> statement-breakpoint
CREATE INDEX "outbox_due" ON "outbox" ("due_at_ms");
--> statement-breakpoint
ALTER TABLE "outbox" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "outbox" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "outbox" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "outbox" TO berth_app;
--> statement-breakpoint
CREATE TABLE "invocation" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "agent" text COLLATE "C" NOT NULL,
  "version" bigint NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "session_id" text COLLATE "C" NOT NULL,
  "principal" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "error" text COLLATE "C",
  "usage" text COLLATE "C" NOT NULL,
  "cost_micros" bigint NOT NULL,
  "attempts" bigint NOT NULL,
  "redriven_from" text COLLATE "C",
  "created_at_ms" bigint NOT NULL,
  "completed_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "invocation_agent" ON "invocation" ("tenant_id", "agent_id", "id");
--> statement-breakpoint
CREATE INDEX "invocation_session" ON "invocation" ("tenant_id", "session_id", "id");
--> statement-breakpoint
ALTER TABLE "invocation" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "invocation" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "invocation" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "invocation" TO berth_app;
--> statement-breakpoint
CREATE TABLE "usage_record" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "invocation_id" text COLLATE "C" NOT NULL,
  "step" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "principal" text COLLATE "C" NOT NULL,
  "model" text COLLATE "C" NOT NULL,
  "input_tokens" bigint NOT NULL,
  "output_tokens" bigint NOT NULL,
  "estimated" bigint NOT NULL,
  "cost_micros" bigint NOT NULL,
  "at_ms" bigint NOT NULL,
  "day" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "usage_record_invocation" ON "usage_record" ("tenant_id", "invocation_id");
--> statement-breakpoint
CREATE INDEX "usage_record_day" ON "usage_record" ("tenant_id", "day");
--> statement-breakpoint
ALTER TABLE "usage_record" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "usage_record" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "usage_record" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "usage_record" TO berth_app;
--> statement-breakpoint
CREATE TABLE "console_session" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "token_hash" text COLLATE "C" NOT NULL,
  "key_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "token_hash")
);
--> statement-breakpoint
CREATE INDEX "console_session_token" ON "console_session" ("token_hash");
--> statement-breakpoint
CREATE INDEX "console_session_expiry" ON "console_session" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "console_session" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "console_session" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "console_session" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "console_session" TO berth_app;
--> statement-breakpoint
CREATE TABLE "ticket" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "ticket_hash" text COLLATE "C" NOT NULL,
  "agent_id" text COLLATE "C" NOT NULL,
  "environment" text COLLATE "C" NOT NULL,
  "principal" text COLLATE "C" NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "ticket_hash")
);
--> statement-breakpoint
CREATE INDEX "ticket_expiry" ON "ticket" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "ticket" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "ticket" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "ticket" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "ticket" TO berth_app;
--> statement-breakpoint
CREATE TABLE "idempotency" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "principal" text COLLATE "C" NOT NULL,
  "route" text COLLATE "C" NOT NULL,
  "key" text COLLATE "C" NOT NULL,
  "fingerprint" text COLLATE "C" NOT NULL,
  "claim_id" text COLLATE "C" NOT NULL,
  "status" bigint,
  "body" text COLLATE "C",
  "claimed_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "principal", "route", "key")
);
--> statement-breakpoint
CREATE INDEX "idempotency_expiry" ON "idempotency" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "idempotency" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "idempotency" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "idempotency" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "idempotency" TO berth_app;
