-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "tenant" ADD COLUMN "tier" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "location" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "flags" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "registration" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "default_role" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "suspended_reason" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "suspended_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "last_change_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "password_hash" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "signed_up_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "verified_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "sessions_from_ms" bigint;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "revision" bigint;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "last_change_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "member" ADD COLUMN "revision" bigint;
--> statement-breakpoint
ALTER TABLE "member" ADD COLUMN "last_change_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "last_change_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "project_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "owner_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "revision" bigint;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "updated_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "disabled_at_ms" bigint;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "allowed_origins" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "allowed_ips" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rate_limits" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "credits" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "metadata" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rotated_from" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rotated_to" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "meter_id" text COLLATE "C";
--> statement-breakpoint
CREATE INDEX "key_owner" ON "key" ("tenant_id", "owner_id") WHERE owner_id is not null;
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "project_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "tags" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "owner_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "draft" ADD COLUMN "last_change_id" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "provider" ADD COLUMN "secret_name" text COLLATE "C";
--> statement-breakpoint
ALTER TABLE "console_session" ADD COLUMN "user_id" text COLLATE "C";
--> statement-breakpoint
CREATE INDEX "console_session_user" ON "console_session" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE TABLE "audit" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "at_ms" bigint NOT NULL,
  "action" text COLLATE "C" NOT NULL,
  "actor_kind" text COLLATE "C" NOT NULL,
  "actor_id" text COLLATE "C" NOT NULL,
  "address" text COLLATE "C",
  "request_id" text COLLATE "C",
  "resource_kind" text COLLATE "C" NOT NULL,
  "resource_id" text COLLATE "C" NOT NULL,
  "result" text COLLATE "C" NOT NULL,
  "before_digest" text COLLATE "C",
  "after_digest" text COLLATE "C",
  "detail" text COLLATE "C",
  "seq" bigint,
  "previous_hash" text COLLATE "C",
  "hash" text COLLATE "C",
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "audit_seq" ON "audit" ("tenant_id", "seq");
--> statement-breakpoint
CREATE INDEX "audit_actor" ON "audit" ("tenant_id", "actor_id", "id");
--> statement-breakpoint
CREATE INDEX "audit_resource" ON "audit" ("tenant_id", "resource_kind", "resource_id", "id");
--> statement-breakpoint
CREATE INDEX "audit_unchained" ON "audit" ("tenant_id", "id") WHERE seq is null;
--> statement-breakpoint
ALTER TABLE "audit" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "audit" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "audit" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "audit" TO berth_app;
--> statement-breakpoint
CREATE TABLE "app_client" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "scopes" text COLLATE "C" NOT NULL,
  "token_lifetime_seconds" bigint NOT NULL,
  "enabled" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_by" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
ALTER TABLE "app_client" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "app_client" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "app_client" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "app_client" TO berth_app;
--> statement-breakpoint
CREATE TABLE "client_secret" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "client_id" text COLLATE "C" NOT NULL,
  "start" text COLLATE "C" NOT NULL,
  "secret_hash" text COLLATE "C" NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint,
  "revoked_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "client_secret_client" ON "client_secret" ("tenant_id", "client_id");
--> statement-breakpoint
ALTER TABLE "client_secret" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "client_secret" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "client_secret" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "client_secret" TO berth_app;
--> statement-breakpoint
CREATE TABLE "issuer" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "issuer" text COLLATE "C" NOT NULL,
  "audience" text COLLATE "C" NOT NULL,
  "alg" text COLLATE "C" NOT NULL,
  "typ" text COLLATE "C" NOT NULL,
  "jwks_uri" text COLLATE "C",
  "sealed_secret" text COLLATE "C",
  "tenant_claim" text COLLATE "C",
  "tenant_value" text COLLATE "C",
  "max_lifetime_seconds" bigint NOT NULL,
  "mappings" text COLLATE "C" NOT NULL,
  "default_role" text COLLATE "C",
  "enabled" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "issuer_issuer" ON "issuer" ("tenant_id", "issuer");
--> statement-breakpoint
ALTER TABLE "issuer" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "issuer" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "issuer" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "issuer" TO berth_app;
--> statement-breakpoint
CREATE TABLE "sso_connection" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "issuer" text COLLATE "C" NOT NULL,
  "client_id" text COLLATE "C" NOT NULL,
  "sealed_secret" text COLLATE "C",
  "auth_method" text COLLATE "C" NOT NULL,
  "scopes" text COLLATE "C" NOT NULL,
  "create_members" bigint NOT NULL,
  "email_domains" text COLLATE "C" NOT NULL,
  "mappings" text COLLATE "C" NOT NULL,
  "default_role" text COLLATE "C",
  "enabled" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "sso_connection_slug" ON "sso_connection" ("tenant_id", "slug");
--> statement-breakpoint
ALTER TABLE "sso_connection" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "sso_connection" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "sso_connection" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "sso_connection" TO berth_app;
--> statement-breakpoint
CREATE TABLE "sso_sign_in" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "state_hash" text COLLATE "C" NOT NULL,
  "browser_hash" text COLLATE "C" NOT NULL,
  "connection_id" text COLLATE "C" NOT NULL,
  "return_to" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "state_hash")
);
--> statement-breakpoint
CREATE INDEX "sso_sign_in_expiry" ON "sso_sign_in" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "sso_sign_in" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "sso_sign_in" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "sso_sign_in" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "sso_sign_in" TO berth_app;
--> statement-breakpoint
CREATE TABLE "sso_identity" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "connection_id" text COLLATE "C" NOT NULL,
  "subject" text COLLATE "C" NOT NULL,
  "user_id" text COLLATE "C" NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "connection_id", "subject")
);
--> statement-breakpoint
CREATE INDEX "sso_identity_user" ON "sso_identity" ("tenant_id", "user_id");
--> statement-breakpoint
ALTER TABLE "sso_identity" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "sso_identity" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "sso_identity" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "sso_identity" TO berth_app;
--> statement-breakpoint
CREATE TABLE "audit_checkpoint" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "seq" bigint NOT NULL,
  "hash" text COLLATE "C" NOT NULL,
  "at_ms" bigint NOT NULL,
  "kid" text COLLATE "C" NOT NULL,
  "signature" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "seq")
);
--> statement-breakpoint
ALTER TABLE "audit_checkpoint" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "audit_checkpoint" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "audit_checkpoint" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "audit_checkpoint" TO berth_app;
--> statement-breakpoint
CREATE TABLE "data_key" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "kid" text COLLATE "C",
  "wrapped" text COLLATE "C",
  "state" text COLLATE "C" NOT NULL,
  "fingerprint" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "retired_at_ms" bigint,
  "destroyed_at_ms" bigint,
  "last_change_id" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "data_key_active" ON "data_key" ("tenant_id") WHERE state = 'active';
--> statement-breakpoint
CREATE INDEX "data_key_kid" ON "data_key" ("kid");
--> statement-breakpoint
CREATE INDEX "data_key_state" ON "data_key" ("state");
--> statement-breakpoint
ALTER TABLE "data_key" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "data_key" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "data_key" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "data_key" TO berth_app;
--> statement-breakpoint
CREATE TABLE "secret" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "description" text COLLATE "C" NOT NULL,
  "version" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "rotated_at_ms" bigint NOT NULL,
  "last_used_at_ms" bigint,
  "last_used_by" text COLLATE "C",
  "last_change_id" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "secret_name" ON "secret" ("tenant_id", "name");
--> statement-breakpoint
ALTER TABLE "secret" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "secret" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "secret" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "secret" TO berth_app;
--> statement-breakpoint
CREATE TABLE "secret_version" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "secret_id" text COLLATE "C" NOT NULL,
  "version" bigint NOT NULL,
  "sealed" text COLLATE "C",
  "created_at_ms" bigint NOT NULL,
  "ends_at_ms" bigint,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "secret_version_number" ON "secret_version" ("tenant_id", "secret_id", "version");
--> statement-breakpoint
CREATE INDEX "secret_version_end" ON "secret_version" ("ends_at_ms") WHERE sealed is not null;
--> statement-breakpoint
ALTER TABLE "secret_version" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "secret_version" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "secret_version" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "secret_version" TO berth_app;
--> statement-breakpoint
CREATE TABLE "secret_reference" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "version_id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "version_id", "name")
);
--> statement-breakpoint
CREATE INDEX "secret_reference_name" ON "secret_reference" ("tenant_id", "name");
--> statement-breakpoint
ALTER TABLE "secret_reference" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "secret_reference" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "secret_reference" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "secret_reference" TO berth_app;
--> statement-breakpoint
CREATE TABLE "project" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "description" text COLLATE "C" NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "project_slug" ON "project" ("tenant_id", "slug");
--> statement-breakpoint
ALTER TABLE "project" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "project" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "project" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "project" TO berth_app;
--> statement-breakpoint
CREATE TABLE "role" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "description" text COLLATE "C" NOT NULL,
  "statements" text COLLATE "C" NOT NULL,
  "denies" bigint NOT NULL,
  "revision" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "role_slug" ON "role" ("tenant_id", "slug");
--> statement-breakpoint
ALTER TABLE "role" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "role" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "role" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "role" TO berth_app;
--> statement-breakpoint
CREATE TABLE "assignment" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "principal_kind" text COLLATE "C" NOT NULL,
  "principal_id" text COLLATE "C" NOT NULL,
  "role" text COLLATE "C" NOT NULL,
  "project_id" text COLLATE "C",
  "environment" text COLLATE "C",
  "agent_id" text COLLATE "C",
  "expires_at_ms" bigint,
  "created_by" text COLLATE "C" NOT NULL,
  "created_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "assignment_principal" ON "assignment" ("tenant_id", "principal_id");
--> statement-breakpoint
CREATE INDEX "assignment_role" ON "assignment" ("tenant_id", "role");
--> statement-breakpoint
ALTER TABLE "assignment" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "assignment" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "assignment" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "assignment" TO berth_app;
--> statement-breakpoint
CREATE TABLE "transfer" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "kind" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "requested_by" text COLLATE "C" NOT NULL,
  "lines" bigint NOT NULL,
  "size_bytes" bigint NOT NULL,
  "sha256" text COLLATE "C",
  "error" text COLLATE "C",
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "transfer_id" ON "transfer" ("id");
--> statement-breakpoint
CREATE UNIQUE INDEX "transfer_importing" ON "transfer" ("tenant_id") WHERE kind = 'import' and status = 'running';
--> statement-breakpoint
CREATE INDEX "transfer_running" ON "transfer" ("updated_at_ms") WHERE status = 'running';
--> statement-breakpoint
ALTER TABLE "transfer" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "transfer" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "transfer" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "transfer" TO berth_app;
--> statement-breakpoint
CREATE TABLE "erasure" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "slug" text COLLATE "C" NOT NULL,
  "phase" text COLLATE "C" NOT NULL,
  "counts" text COLLATE "C",
  "keys" text COLLATE "C",
  "requested_by" text COLLATE "C" NOT NULL,
  "requested_at_ms" bigint NOT NULL,
  "due_at_ms" bigint,
  "slug_free_at_ms" bigint NOT NULL,
  "erased_at_ms" bigint,
  "certificate" text COLLATE "C",
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "erasure_id" ON "erasure" ("id");
--> statement-breakpoint
CREATE INDEX "erasure_due" ON "erasure" ("due_at_ms");
--> statement-breakpoint
CREATE INDEX "erasure_slug" ON "erasure" ("slug");
--> statement-breakpoint
ALTER TABLE "erasure" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "erasure" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "erasure" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "erasure" TO berth_app;
--> statement-breakpoint
CREATE TABLE "invitation" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "email" text COLLATE "C" NOT NULL,
  "role" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "invited_by" text COLLATE "C" NOT NULL,
  "edition" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  "last_change_id" text COLLATE "C" NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "invitation_email" ON "invitation" ("tenant_id", "email") WHERE status = 'open';
--> statement-breakpoint
ALTER TABLE "invitation" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "invitation" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "invitation" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "invitation" TO berth_app;
--> statement-breakpoint
CREATE TABLE "confirmation" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "purpose" text COLLATE "C" NOT NULL,
  "email" text COLLATE "C" NOT NULL,
  "user_id" text COLLATE "C",
  "name" text COLLATE "C",
  "password_hash" text COLLATE "C",
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  "used_at_ms" bigint,
  "last_change_id" text COLLATE "C",
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE INDEX "confirmation_user" ON "confirmation" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE INDEX "confirmation_expiry" ON "confirmation" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "confirmation" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "confirmation" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "confirmation" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "confirmation" TO berth_app;
--> statement-breakpoint
CREATE TABLE "refresh_token" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "token_hash" text COLLATE "C" NOT NULL,
  "family_id" text COLLATE "C" NOT NULL,
  "user_id" text COLLATE "C" NOT NULL,
  "scope" text COLLATE "C",
  "began_at_ms" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "expires_at_ms" bigint NOT NULL,
  "used_at_ms" bigint,
  "revoked_at_ms" bigint,
  "last_change_id" text COLLATE "C",
  PRIMARY KEY ("tenant_id", "token_hash")
);
--> statement-breakpoint
CREATE INDEX "refresh_token_family" ON "refresh_token" ("tenant_id", "family_id");
--> statement-breakpoint
CREATE INDEX "refresh_token_user" ON "refresh_token" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE INDEX "refresh_token_expiry" ON "refresh_token" ("expires_at_ms");
--> statement-breakpoint
ALTER TABLE "refresh_token" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "refresh_token" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "refresh_token" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "refresh_token" TO berth_app;
--> statement-breakpoint
CREATE TABLE "branding" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C",
  "light" text COLLATE "C" NOT NULL,
  "dark" text COLLATE "C" NOT NULL,
  "logo_type" text COLLATE "C",
  "logo" text COLLATE "C",
  "logo_bytes" bigint,
  "logo_digest" text COLLATE "C",
  "revision" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  "last_change_id" text COLLATE "C",
  PRIMARY KEY ("tenant_id")
);
--> statement-breakpoint
ALTER TABLE "branding" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "branding" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "branding" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "branding" TO berth_app;
--> statement-breakpoint
CREATE TABLE "hostname" (
  "tenant_id" text COLLATE "C" NOT NULL,
  "id" text COLLATE "C" NOT NULL,
  "name" text COLLATE "C" NOT NULL,
  "status" text COLLATE "C" NOT NULL,
  "claimed_name" text COLLATE "C",
  "token" text COLLATE "C" NOT NULL,
  "edge_id" text COLLATE "C",
  "problem" text COLLATE "C",
  "failures" bigint NOT NULL,
  "checked_at_ms" bigint,
  "due_ms" bigint,
  "verified_at_ms" bigint,
  "revision" bigint NOT NULL,
  "created_at_ms" bigint NOT NULL,
  "updated_at_ms" bigint NOT NULL,
  "last_change_id" text COLLATE "C",
  PRIMARY KEY ("tenant_id", "id")
);
--> statement-breakpoint
CREATE UNIQUE INDEX "hostname_name" ON "hostname" ("tenant_id", "name");
--> statement-breakpoint
CREATE UNIQUE INDEX "hostname_claim" ON "hostname" ("claimed_name");
--> statement-breakpoint
CREATE INDEX "hostname_due" ON "hostname" ("due_ms");
--> statement-breakpoint
ALTER TABLE "hostname" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "hostname" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "hostname" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "hostname" TO berth_app;
