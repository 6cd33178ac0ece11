import { expect, it } from "vitest";
import { withoutSecrets } from "./secrets.ts";

it("F25: stores no secret of a key, a new tenant's key, a session or a ticket", () => {
  expect(withoutSecrets({ id: "key_1", secret: "berth_live_x" })).toEqual({
    id: "key_1",
    secret: null,
  });
  expect(withoutSecrets({ tenant: { id: "t" }, key: { id: "key_1", secret: "x" } })).toEqual({
    tenant: { id: "t" },
    key: { id: "key_1", secret: null },
  });
  expect(withoutSecrets({ ticket: "x", expires_at: "later" })).toEqual({
    ticket: null,
    expires_at: "later",
  });
});

it("gives a tenant's own content back as it was, whatever its members are called", () => {
  const version = { id: "ver_1", spec: { tools: [{ headers: { token: "not ours" } }] } };
  expect(withoutSecrets(version)).toEqual(version);
  expect(withoutSecrets([{ secret: "in a list" }])).toEqual([{ secret: "in a list" }]);
  expect(withoutSecrets(null)).toBeNull();
  expect(withoutSecrets("text")).toBe("text");
});
