import { afterAll, beforeAll } from "vitest";
import { storeSuite } from "./suite.ts";
import { openPglite, type TestPostgres } from "./suite-pglite.ts";

let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await openPglite();
});

afterAll(async () => {
  await postgres.pg.close();
});

storeSuite("Postgres", () => postgres.platform);
