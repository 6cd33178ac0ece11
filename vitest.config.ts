import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/**
 * Three projects, by what a test needs: nothing (`core`), the Workers runtime (`workerd`), or the
 * whole platform as a process of its own (`system`). They run one after the other, so that none
 * waits for a processor another one has taken.
 */
export default defineConfig({
  test: {
    // A queue's message that is delivered as the last file ends finds the harness gone: its own
    // error, of its own end, and nothing of the product's.
    onUnhandledError: ({ name }) => (name === "EnvironmentTeardownError" ? false : undefined),
    projects: [
      {
        test: {
          name: "core",
          include: [
            "core/**/*.test.ts",
            "tests/*.test.ts",
            "web/**/*.test.{ts,tsx}",
            "tools/**/*.test.ts",
          ],
          environment: "node",
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [
          cloudflareTest(async ({ inject }) => ({
            remoteBindings: false,
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                ...inject<Record<string, string>>("vars"),
                TEST_MIGRATIONS: await readD1Migrations("migrations/d1"),
                TEST_MODEL_PORT: inject<number>("modelPort"),
                TEST_HTTP_PORT: inject<number>("httpPort"),
                TEST_MAIL_PORT: inject<number>("mailPort"),
                TEST_CLOUDFLARE_PORT: inject<number>("cloudflarePort"),
                TEST_DNS_PORT: inject<number>("dnsPort"),
                TEST_OIDC_PORT: inject<number>("oidcPort"),
                TEST_UPSTREAM_PORT: inject<number>("upstreamPort"),
              },
            },
          })),
        ],
        test: {
          name: "workerd",
          testTimeout: 30_000,
          hookTimeout: 30_000,
          include: [
            "workers/**/*.test.ts",
            "durable-objects/**/*.test.ts",
            "tests/request/**/*.test.ts",
          ],
          globalSetup: ["tests/fixtures/workerd-setup.ts"],
          isolate: false,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "system",
          include: ["tests/system/**/*.test.ts", "bench/**/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
