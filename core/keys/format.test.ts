import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newId } from "../ids.ts";
import { hashSecret, makeKey, newSecret, parseKey, sameHash, startOf } from "./format.ts";

const ID = newId("key", Date.UTC(2026, 10, 20));
const KEY = makeKey({ id: ID, secret: newSecret() });

describe("the form of an API key", () => {
  it("F25: says the product, that it is live, its id, a secret and a check", () => {
    expect(KEY).toMatch(/^berth_live_[0-9a-z]{26}_[0-9A-Za-z]{49}$/);
    expect(KEY.startsWith(startOf(ID))).toBe(true);
  });

  it("F25: what is shown of it holds nothing of the secret", () => {
    expect(startOf(ID)).toBe(`berth_live_${ID.slice(4)}`);
  });

  it("is read back as it was made, for any 256 bits", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const secret = newSecret((into) => {
          into.set(bytes);
          return into;
        });
        expect(secret).toHaveLength(43);
        expect(parseKey(makeKey({ id: ID, secret }))).toEqual({ keyId: ID, secret });
      }),
    );
  });

  it("has the CRC-32 of ISO 3309 at its end", () => {
    const bare = `${startOf(`key_${"0".repeat(26)}`)}_${"0".repeat(43)}`;
    // zlib.crc32 of the text, in base 62.
    expect(makeKey({ id: `key_${"0".repeat(26)}`, secret: "0".repeat(43) })).toBe(`${bare}1DOrNB`);
  });

  it("F25: one changed character anywhere is refused by arithmetic", () => {
    for (let at = 0; at < KEY.length; at += 1) {
      const other = KEY.charAt(at) === "z" ? "y" : "z";
      expect(parseKey(KEY.slice(0, at) + other + KEY.slice(at + 1))).toBeUndefined();
    }
  });

  it.each([
    "",
    "berth_live_",
    "berth_live__",
    `${KEY} `,
    ` ${KEY}`,
    `${KEY}\n`,
    `${KEY}0`,
    KEY.slice(0, -1),
    KEY.toUpperCase(),
    KEY.replace("live", "test"),
    KEY.replaceAll("_", "-"),
    "ⓑerth_live_x",
    "x".repeat(100_000),
  ])("refuses what is no key: %.40j", (text) => {
    expect(parseKey(text)).toBeUndefined();
  });

  it("refuses an id outside the alphabet of ids even under a right check", () => {
    expect(parseKey(makeKey({ id: `key_${"l".repeat(26)}`, secret: newSecret() }))).toBeUndefined();
  });
});

describe("hashes of secrets", () => {
  it("are SHA-256 in base64url", async () => {
    expect(await hashSecret("abc")).toBe("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
  });

  it("are the same only when every character is", async () => {
    const hash = await hashSecret("abc");
    expect(sameHash(hash, hash)).toBe(true);
    expect(sameHash(hash, `${hash.slice(0, -1)}1`)).toBe(false);
    expect(sameHash(hash, hash.slice(0, -1))).toBe(false);
    expect(sameHash(hash, `${hash}0`)).toBe(false);
    expect(sameHash("", "")).toBe(true);
    expect(sameHash(hash, "")).toBe(false);
  });
});
