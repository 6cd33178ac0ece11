import { describe, expect, it } from "vitest";
import { createWrapper } from "./secrets.ts";

/** Fast, and good for nothing but tests. */
const stretch = async (passphrase: string, salt: string) => {
  const digest = await crypto.subtle.digest(
    "SHA-512",
    new TextEncoder().encode(`${passphrase}\n${salt}`),
  );
  return new Uint8Array(digest);
};

const TENANT = "ten_a";
const PLACE = { tenantId: TENANT, kind: "provider", id: "prv_1" };
const SECRET = "sk-ünïcode-😀";

const opened = (promise: Promise<string>) => promise.catch(() => "refused");

describe("F15: secrets under a passphrase", () => {
  it("open again, in their place", async () => {
    const wrapper = await createWrapper(stretch, "a passphrase", TENANT);
    for (const text of [SECRET, "", "\uFEFFx", "x".repeat(200_000)]) {
      expect(await wrapper.unwrap(PLACE, await wrapper.wrap(PLACE, text))).toBe(text);
    }
  });

  it("are the same bytes each time, and others for another place, value or passphrase", async () => {
    const [one, again, other] = await Promise.all(
      ["a passphrase", "a passphrase", "another one"].map((it) =>
        createWrapper(stretch, it, TENANT),
      ),
    );
    const texts = await Promise.all([
      one?.wrap(PLACE, SECRET),
      again?.wrap(PLACE, SECRET),
      one?.wrap(PLACE, `${SECRET}.`),
      one?.wrap({ ...PLACE, id: "prv_2" }, SECRET),
      one?.wrap({ ...PLACE, kind: "secret" }, SECRET),
      other?.wrap(PLACE, SECRET),
    ]);
    expect(texts[1]).toBe(texts[0]);
    expect(new Set(texts).size).toBe(5);
    expect(new Set(texts.map((text) => text?.split(".")[1])).size).toBe(5); // nonces, too
    expect([again?.check === one?.check, other?.check === one?.check]).toEqual([true, false]);
  });

  it("do not open elsewhere, under another passphrase, or changed", async () => {
    const wrapper = await createWrapper(stretch, "a passphrase", TENANT);
    const other = await createWrapper(stretch, "another one", TENANT);
    const elsewhere = await createWrapper(stretch, "a passphrase", "ten_b");
    const wrapped = await wrapper.wrap(PLACE, SECRET);
    expect(await opened(other.unwrap(PLACE, wrapped))).toBe("refused");
    expect(await opened(elsewhere.unwrap(PLACE, wrapped))).toBe("refused");
    expect(await opened(wrapper.unwrap({ ...PLACE, id: "prv_2" }, wrapped))).toBe("refused");
    for (const broken of ["", "x1", "x1..", `${wrapped}.x`, wrapped.replace("x1", "v1")]) {
      expect(await opened(wrapper.unwrap(PLACE, broken))).toBe("refused");
    }
    for (const at of [3, 10, 30, wrapped.length - 2]) {
      const flipped = `${wrapped.slice(0, at)}${wrapped[at] === "A" ? "B" : "A"}${wrapped.slice(at + 1)}`;
      expect(await opened(wrapper.unwrap(PLACE, flipped))).toBe("refused");
    }
  });
});
