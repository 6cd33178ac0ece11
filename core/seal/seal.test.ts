import { describe, expect, it } from "vitest";
import { aead } from "../../durable-objects/aead.ts";
import { SealFailure, type MasterKey, type SealPlace } from "./contract.ts";
import { createSealer, sealedUnder } from "./seal.ts";

const OLD: MasterKey = { kid: "k1", key: new Uint8Array(32).fill(1) };
const NEW: MasterKey = { kid: "k2", key: new Uint8Array(32).fill(2) };
const PLACE: SealPlace = { tenantId: "ten_a", kind: "provider", id: "prv_1" };
const SECRET = "sk-live-ünïcode-😀";

const sealer = createSealer(aead, [OLD]);

function reasonOf(open: () => string): string {
  try {
    open();
  } catch (error) {
    if (error instanceof SealFailure) return error.reason;
    throw error;
  }
  return "opened";
}

describe("F191 F104: sealing", () => {
  it("opens what it sealed, in the same place", () => {
    const blob = sealer.seal(PLACE, SECRET);
    expect(blob).toMatch(/^v1\.k1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
    expect(sealer.open(PLACE, blob)).toBe(SECRET);
    expect(sealer.open(PLACE, sealer.seal(PLACE, ""))).toBe("");
    expect(sealer.open(PLACE, sealer.seal(PLACE, "\uFEFFx"))).toBe("\uFEFFx");
  });

  it("never seals twice alike", () => {
    const blobs = new Set(Array.from({ length: 100 }, () => sealer.seal(PLACE, SECRET)));
    expect(blobs.size).toBe(100);
  });

  it("does not open for another tenant, kind or id", () => {
    const blob = sealer.seal(PLACE, SECRET);
    for (const elsewhere of [
      { ...PLACE, tenantId: "ten_b" },
      { ...PLACE, kind: "secret" },
      { ...PLACE, id: "prv_2" },
    ]) {
      expect(reasonOf(() => sealer.open(elsewhere, blob))).toBe("not_authentic");
    }
  });

  it("does not open when swapped with the row of another tenant", () => {
    const globex = { ...PLACE, tenantId: "ten_b" };
    const [mine, theirs] = [sealer.seal(PLACE, "mine"), sealer.seal(globex, "theirs")];
    expect(reasonOf(() => sealer.open(PLACE, theirs))).toBe("not_authentic");
    expect(reasonOf(() => sealer.open(globex, mine))).toBe("not_authentic");
  });

  it("does not open with any single character changed, added or cut", () => {
    const blob = sealer.seal(PLACE, SECRET);
    for (let i = 0; i < blob.length; i += 1) {
      for (const put of ["A", "b", "-", ".", "", "=", "\n"]) {
        const flipped = blob.slice(0, i) + put + blob.slice(i + 1);
        if (flipped === blob) continue;
        expect(reasonOf(() => sealer.open(PLACE, flipped))).not.toBe("opened");
      }
    }
    expect(reasonOf(() => sealer.open(PLACE, `${blob}.x`))).toBe("malformed");
    expect(reasonOf(() => sealer.open(PLACE, `${blob}A`))).not.toBe("opened");
    expect(reasonOf(() => sealer.open(PLACE, ""))).toBe("malformed");
  });

  it("does not open when parts of two blobs are put together", () => {
    const one = sealer.seal(PLACE, "one").split(".");
    const two = sealer.seal(PLACE, "two").split(".");
    const mixed = [one[0], one[1], one[2], two[3]].join(".");
    expect(reasonOf(() => sealer.open(PLACE, mixed))).toBe("not_authentic");
  });

  it("rotates: the first key seals, all of them open", () => {
    const before = sealer.seal(PLACE, SECRET);
    const during = createSealer(aead, [NEW, OLD]);
    expect(during.open(PLACE, before)).toBe(SECRET);
    expect(sealedUnder(during.seal(PLACE, SECRET))).toBe("k2");
    const after = createSealer(aead, [NEW]);
    expect(after.open(PLACE, during.seal(PLACE, SECRET))).toBe(SECRET);
    expect(reasonOf(() => after.open(PLACE, before))).toBe("unknown_key");
  });

  it("is bound to the key's id, not only to its bytes", () => {
    const twin = createSealer(aead, [OLD, { kid: "k9", key: OLD.key }]);
    const renamed = twin.seal(PLACE, SECRET).replace(".k1.", ".k9.");
    expect(reasonOf(() => twin.open(PLACE, renamed))).toBe("not_authentic");
  });

  it("says nothing of the content when it fails", () => {
    const blob = sealer.seal(PLACE, SECRET);
    const failed = () => sealer.open({ ...PLACE, id: "prv_2" }, blob);
    expect(failed).toThrow("a sealed value does not open: not_authentic");
  });

  it("refuses keys and places that could not be told apart", () => {
    expect(() => createSealer(aead, [])).toThrow(RangeError);
    expect(() => createSealer(aead, [{ kid: "k1", key: new Uint8Array(16) }])).toThrow(RangeError);
    expect(() => createSealer(aead, [{ kid: "a.b", key: OLD.key }])).toThrow(RangeError);
    expect(() => sealer.seal({ ...PLACE, id: "a|b" }, SECRET)).toThrow(RangeError);
    expect(() => sealer.seal({ ...PLACE, kind: "" }, SECRET)).toThrow(RangeError);
  });
});
