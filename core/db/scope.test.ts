import { expect, it } from "vitest";
import { newId } from "../ids.ts";
import type { Db, PlatformScope, TenantScope } from "./scope.ts";
import { platformScope, tenantScope } from "./scope.ts";

/** Never asked anything. */
const db = {} as Db;

it("F5, F13: an object literal is no scope: only the named functions make one", () => {
  const tenantId = newId("tenant", 0);
  // @ts-expect-error a tenant's scope is made by tenantScope alone
  const forgedTenant: TenantScope = { db, tenantId };
  // @ts-expect-error a platform's scope is made by the engines alone
  const forgedPlatform: PlatformScope = { db, forTenant: () => db };
  const real = tenantScope(
    platformScope("sqlite", db, () => db),
    tenantId,
  );
  expect(Object.getOwnPropertySymbols(real)).toHaveLength(1);
  expect(Object.getOwnPropertySymbols(forgedTenant)).toHaveLength(0);
  expect(Object.getOwnPropertySymbols(forgedPlatform)).toHaveLength(0);
});

it("F12: a tenant's scope has the database that was opened for that tenant", () => {
  const opened: string[] = [];
  const platform = platformScope("sqlite", db, (tenantId) => {
    opened.push(tenantId);
    return { ...db };
  });
  const tenantId = newId("tenant", 0);
  expect(tenantScope(platform, tenantId).db).not.toBe(platform.db);
  expect(opened).toEqual([tenantId]);
});
