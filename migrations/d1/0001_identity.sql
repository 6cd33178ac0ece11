-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "key" ADD COLUMN "last_change_id" text;
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
CREATE INDEX "audit_seq" ON "audit" ("tenant_id", "seq");
--> statement-breakpoint
CREATE INDEX "audit_resource" ON "audit" ("tenant_id", "resource_kind", "resource_id");
--> statement-breakpoint
CREATE INDEX "audit_unchained" ON "audit" ("tenant_id") WHERE seq is null;
