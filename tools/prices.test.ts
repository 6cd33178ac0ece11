import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderPrices } from "./prices.ts";

it("the checked-in price table is what the pinned library gives", () => {
  const path = `${import.meta.dirname}/../core/models/prices.generated.ts`;
  expect(readFileSync(path, "utf8")).toBe(renderPrices());
});
