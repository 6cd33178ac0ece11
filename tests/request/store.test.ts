import { env } from "cloudflare:workers";
import { applyD1Migrations } from "cloudflare:test";
import { beforeAll } from "vitest";
import { d1Platform } from "../../core/db/d1.ts";
import { storeSuite } from "../../core/db/suite.ts";

beforeAll(async () => {
  const { TEST_MIGRATIONS } = env as typeof env & {
    readonly TEST_MIGRATIONS: Parameters<typeof applyD1Migrations>[1];
  };
  await applyD1Migrations(env.DB, TEST_MIGRATIONS);
});

storeSuite("D1", () => d1Platform(env.DB));
