import { expect, it } from "vitest";
import { RESERVED_LABELS, slugFault } from "./slug.ts";

it.each(["acme", "a-b", "a1b", "x".repeat(63)])("F1: %s can name a tenant", (slug) => {
  expect(slugFault(slug)).toBeUndefined();
});

it.each([
  "",
  "ab",
  "x".repeat(64),
  "-acme",
  "acme-",
  "Acme",
  "ac me",
  "ac.me",
  "ac_me",
  "acmé",
  "xn--acm-dma",
  "ab--c",
  "acme\n",
  ...RESERVED_LABELS,
])("F1: %j cannot name a tenant", (slug) => {
  expect(slugFault(slug)).toBeTypeOf("string");
});
