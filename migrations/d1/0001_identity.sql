-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "tenant" ADD COLUMN "tier" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "location" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "flags" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "registration" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "default_role" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "suspended_reason" text;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "suspended_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "tenant" ADD COLUMN "last_change_id" text;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "password_hash" text;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "signed_up_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "verified_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "sessions_from_ms" integer;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "revision" integer;
--> statement-breakpoint
ALTER TABLE "user" ADD COLUMN "last_change_id" text;
--> statement-breakpoint
ALTER TABLE "member" ADD COLUMN "revision" integer;
--> statement-breakpoint
ALTER TABLE "member" ADD COLUMN "last_change_id" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "last_change_id" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "project_id" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "owner_id" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "revision" integer;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "updated_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "disabled_at_ms" integer;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "allowed_origins" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "allowed_ips" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rate_limits" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "credits" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "metadata" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rotated_from" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "rotated_to" text;
--> statement-breakpoint
ALTER TABLE "key" ADD COLUMN "meter_id" text;
--> statement-breakpoint
CREATE INDEX "key_owner" ON "key" ("tenant_id", "owner_id") WHERE owner_id is not null;
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "project_id" text;
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "tags" text;
--> statement-breakpoint
ALTER TABLE "agent" ADD COLUMN "owner_id" text;
--> statement-breakpoint
ALTER TABLE "draft" ADD COLUMN "last_change_id" text;
--> statement-breakpoint
ALTER TABLE "provider" ADD COLUMN "secret_name" text;
--> statement-breakpoint
ALTER TABLE "console_session" ADD COLUMN "user_id" text;
--> statement-breakpoint
CREATE INDEX "console_session_user" ON "console_session" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE TABLE "audit" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "at_ms" integer NOT NULL,
  "action" text NOT NULL,
  "actor_kind" text NOT NULL,
  "actor_id" text NOT NULL,
  "address" text,
  "request_id" text,
  "resource_kind" text NOT NULL,
  "resource_id" text NOT NULL,
  "result" text NOT NULL,
  "before_digest" text,
  "after_digest" text,
  "detail" text,
  "seq" integer,
  "previous_hash" text,
  "hash" text,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "audit_seq" ON "audit" ("tenant_id", "seq");
--> statement-breakpoint
CREATE INDEX "audit_actor" ON "audit" ("tenant_id", "actor_id", "id");
--> statement-breakpoint
CREATE INDEX "audit_resource" ON "audit" ("tenant_id", "resource_kind", "resource_id", "id");
--> statement-breakpoint
CREATE INDEX "audit_unchained" ON "audit" ("tenant_id", "id") WHERE seq is null;
--> statement-breakpoint
CREATE TABLE "app_client" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "scopes" text NOT NULL,
  "token_lifetime_seconds" integer NOT NULL,
  "enabled" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_by" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE TABLE "client_secret" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "client_id" text NOT NULL,
  "start" text NOT NULL,
  "secret_hash" text NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer,
  "revoked_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "client_secret_client" ON "client_secret" ("tenant_id", "client_id");
--> statement-breakpoint
CREATE TABLE "issuer" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "issuer" text NOT NULL,
  "audience" text NOT NULL,
  "alg" text NOT NULL,
  "typ" text NOT NULL,
  "jwks_uri" text,
  "sealed_secret" text,
  "tenant_claim" text,
  "tenant_value" text,
  "max_lifetime_seconds" integer NOT NULL,
  "mappings" text NOT NULL,
  "default_role" text,
  "enabled" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "issuer_issuer" ON "issuer" ("tenant_id", "issuer");
--> statement-breakpoint
CREATE TABLE "sso_connection" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "name" text NOT NULL,
  "issuer" text NOT NULL,
  "client_id" text NOT NULL,
  "sealed_secret" text,
  "auth_method" text NOT NULL,
  "scopes" text NOT NULL,
  "create_members" integer NOT NULL,
  "email_domains" text NOT NULL,
  "mappings" text NOT NULL,
  "default_role" text,
  "enabled" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "sso_connection_slug" ON "sso_connection" ("tenant_id", "slug");
--> statement-breakpoint
CREATE TABLE "sso_sign_in" (
  "tenant_id" text NOT NULL,
  "state_hash" text NOT NULL,
  "browser_hash" text NOT NULL,
  "connection_id" text NOT NULL,
  "return_to" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "state_hash")
) STRICT;
--> statement-breakpoint
CREATE INDEX "sso_sign_in_expiry" ON "sso_sign_in" ("expires_at_ms");
--> statement-breakpoint
CREATE TABLE "sso_identity" (
  "tenant_id" text NOT NULL,
  "connection_id" text NOT NULL,
  "subject" text NOT NULL,
  "user_id" text NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "connection_id", "subject")
) STRICT;
--> statement-breakpoint
CREATE INDEX "sso_identity_user" ON "sso_identity" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE TABLE "audit_checkpoint" (
  "tenant_id" text NOT NULL,
  "seq" integer NOT NULL,
  "hash" text NOT NULL,
  "at_ms" integer NOT NULL,
  "kid" text NOT NULL,
  "signature" text NOT NULL,
  PRIMARY KEY ("tenant_id", "seq")
) STRICT;
--> statement-breakpoint
CREATE TABLE "data_key" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "kid" text,
  "wrapped" text,
  "state" text NOT NULL,
  "fingerprint" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "retired_at_ms" integer,
  "destroyed_at_ms" integer,
  "last_change_id" text NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "data_key_active" ON "data_key" ("tenant_id") WHERE state = 'active';
--> statement-breakpoint
CREATE INDEX "data_key_kid" ON "data_key" ("kid");
--> statement-breakpoint
CREATE INDEX "data_key_state" ON "data_key" ("state");
--> statement-breakpoint
CREATE TABLE "secret" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "description" text NOT NULL,
  "version" integer NOT NULL,
  "revision" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "rotated_at_ms" integer NOT NULL,
  "last_used_at_ms" integer,
  "last_used_by" text,
  "last_change_id" text NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "secret_name" ON "secret" ("tenant_id", "name");
--> statement-breakpoint
CREATE TABLE "secret_version" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "secret_id" text NOT NULL,
  "version" integer NOT NULL,
  "sealed" text,
  "created_at_ms" integer NOT NULL,
  "ends_at_ms" integer,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "secret_version_number" ON "secret_version" ("tenant_id", "secret_id", "version");
--> statement-breakpoint
CREATE INDEX "secret_version_end" ON "secret_version" ("ends_at_ms") WHERE sealed is not null;
--> statement-breakpoint
CREATE TABLE "secret_reference" (
  "tenant_id" text NOT NULL,
  "version_id" text NOT NULL,
  "name" text NOT NULL,
  PRIMARY KEY ("tenant_id", "version_id", "name")
) STRICT;
--> statement-breakpoint
CREATE INDEX "secret_reference_name" ON "secret_reference" ("tenant_id", "name");
--> statement-breakpoint
CREATE TABLE "project" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "name" text NOT NULL,
  "description" text NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "project_slug" ON "project" ("tenant_id", "slug");
--> statement-breakpoint
CREATE TABLE "role" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "name" text NOT NULL,
  "description" text NOT NULL,
  "statements" text NOT NULL,
  "denies" integer NOT NULL,
  "revision" integer NOT NULL,
  "last_change_id" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "role_slug" ON "role" ("tenant_id", "slug");
--> statement-breakpoint
CREATE TABLE "assignment" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "principal_kind" text NOT NULL,
  "principal_id" text NOT NULL,
  "role" text NOT NULL,
  "project_id" text,
  "environment" text,
  "agent_id" text,
  "expires_at_ms" integer,
  "created_by" text NOT NULL,
  "created_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "assignment_principal" ON "assignment" ("tenant_id", "principal_id");
--> statement-breakpoint
CREATE INDEX "assignment_role" ON "assignment" ("tenant_id", "role");
--> statement-breakpoint
CREATE TABLE "transfer" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "kind" text NOT NULL,
  "status" text NOT NULL,
  "requested_by" text NOT NULL,
  "lines" integer NOT NULL,
  "size_bytes" integer NOT NULL,
  "sha256" text,
  "error" text,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "transfer_id" ON "transfer" ("id");
--> statement-breakpoint
CREATE UNIQUE INDEX "transfer_importing" ON "transfer" ("tenant_id") WHERE kind = 'import' and status = 'running';
--> statement-breakpoint
CREATE INDEX "transfer_running" ON "transfer" ("updated_at_ms") WHERE status = 'running';
--> statement-breakpoint
CREATE TABLE "erasure" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "slug" text NOT NULL,
  "phase" text NOT NULL,
  "counts" text,
  "keys" text,
  "requested_by" text NOT NULL,
  "requested_at_ms" integer NOT NULL,
  "due_at_ms" integer,
  "slug_free_at_ms" integer NOT NULL,
  "erased_at_ms" integer,
  "certificate" text,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "erasure_id" ON "erasure" ("id");
--> statement-breakpoint
CREATE INDEX "erasure_due" ON "erasure" ("due_at_ms");
--> statement-breakpoint
CREATE INDEX "erasure_slug" ON "erasure" ("slug");
--> statement-breakpoint
CREATE TABLE "invitation" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "email" text NOT NULL,
  "role" text NOT NULL,
  "status" text NOT NULL,
  "invited_by" text NOT NULL,
  "edition" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  "last_change_id" text NOT NULL,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "invitation_email" ON "invitation" ("tenant_id", "email") WHERE status = 'open';
--> statement-breakpoint
CREATE TABLE "confirmation" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "purpose" text NOT NULL,
  "email" text NOT NULL,
  "user_id" text,
  "name" text,
  "password_hash" text,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  "used_at_ms" integer,
  "last_change_id" text,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE INDEX "confirmation_user" ON "confirmation" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE INDEX "confirmation_expiry" ON "confirmation" ("expires_at_ms");
--> statement-breakpoint
CREATE TABLE "refresh_token" (
  "tenant_id" text NOT NULL,
  "token_hash" text NOT NULL,
  "family_id" text NOT NULL,
  "user_id" text NOT NULL,
  "scope" text,
  "began_at_ms" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "expires_at_ms" integer NOT NULL,
  "used_at_ms" integer,
  "revoked_at_ms" integer,
  "last_change_id" text,
  PRIMARY KEY ("tenant_id", "token_hash")
) STRICT;
--> statement-breakpoint
CREATE INDEX "refresh_token_family" ON "refresh_token" ("tenant_id", "family_id");
--> statement-breakpoint
CREATE INDEX "refresh_token_user" ON "refresh_token" ("tenant_id", "user_id");
--> statement-breakpoint
CREATE INDEX "refresh_token_expiry" ON "refresh_token" ("expires_at_ms");
--> statement-breakpoint
CREATE TABLE "branding" (
  "tenant_id" text NOT NULL,
  "name" text,
  "light" text NOT NULL,
  "dark" text NOT NULL,
  "logo_type" text,
  "logo" text,
  "logo_bytes" integer,
  "logo_digest" text,
  "revision" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  "last_change_id" text,
  PRIMARY KEY ("tenant_id")
) STRICT;
--> statement-breakpoint
CREATE TABLE "hostname" (
  "tenant_id" text NOT NULL,
  "id" text NOT NULL,
  "name" text NOT NULL,
  "status" text NOT NULL,
  "claimed_name" text,
  "token" text NOT NULL,
  "edge_id" text,
  "problem" text,
  "failures" integer NOT NULL,
  "checked_at_ms" integer,
  "due_ms" integer,
  "verified_at_ms" integer,
  "revision" integer NOT NULL,
  "created_at_ms" integer NOT NULL,
  "updated_at_ms" integer NOT NULL,
  "last_change_id" text,
  PRIMARY KEY ("tenant_id", "id")
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX "hostname_name" ON "hostname" ("tenant_id", "name");
--> statement-breakpoint
CREATE UNIQUE INDEX "hostname_claim" ON "hostname" ("claimed_name");
--> statement-breakpoint
CREATE INDEX "hostname_due" ON "hostname" ("due_ms");
