-- The control plane. Printed from the tables of core/ by `npm run migrations`.
ALTER TABLE "key" ADD COLUMN "last_change_id" text COLLATE "C";
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
CREATE INDEX "audit_seq" ON "audit" ("tenant_id", "seq");
--> statement-breakpoint
CREATE INDEX "audit_resource" ON "audit" ("tenant_id", "resource_kind", "resource_id");
--> statement-breakpoint
CREATE INDEX "audit_unchained" ON "audit" ("tenant_id") WHERE seq is null;
--> statement-breakpoint
ALTER TABLE "audit" ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE "audit" FORCE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY tenant_wall ON "audit" USING (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on') WITH CHECK (tenant_id = current_setting('app.tenant_id', true) OR current_setting('app.platform', true) = 'on');
--> statement-breakpoint
GRANT SELECT, INSERT, UPDATE, DELETE ON "audit" TO berth_app;
