import { expect, it } from "vitest";
import { createSealer } from "../core/seal/seal.ts";
import { aead } from "./aead.ts";

const PLACE = { tenantId: "ten_a", kind: "provider", id: "prv_1" };

it("F191 F104: seals and opens inside workerd, and opens nothing that was touched", () => {
  const sealer = createSealer(aead, [{ kid: "k1", key: new Uint8Array(32).fill(7) }]);
  const blob = sealer.seal(PLACE, "sk-ünïcode");
  expect(sealer.open(PLACE, blob)).toBe("sk-ünïcode");
  const flipped = blob.slice(0, -2) + (blob.at(-2) === "A" ? "B" : "A") + blob.slice(-1);
  expect(() => sealer.open(PLACE, flipped)).toThrow("not_authentic");
  expect(() => sealer.open({ ...PLACE, tenantId: "ten_b" }, blob)).toThrow("not_authentic");
});

it("F191: opens a blob sealed under Node, byte for byte the same format", () => {
  const fixed = (bytes: Uint8Array) => bytes.fill(9);
  const key = { kid: "k1", key: new Uint8Array(32).fill(7) };
  const blob = createSealer(aead, [key], fixed).seal(PLACE, "secret");
  expect(blob).toBe("v1.k1.CQkJCQkJCQkJCQkJ.VODn5tuEoPP8RcyNNEBH2ey8wtLW-g");
});
