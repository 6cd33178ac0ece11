import { scryptSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../problem.ts";
import { type Derive, NewPassword, TypedPassword } from "./contract.ts";
import { checkPassword, hashPassword } from "./hash.ts";
import { demandGoodPassword } from "./policy.ts";

/** The real function at whatever cost is asked for, counted. */
function deriver(): { readonly derive: Derive; readonly costs: unknown[] } {
  const costs: unknown[] = [];
  return {
    costs,
    derive: async (password, salt, cost) => {
      costs.push(cost);
      const { n, r, p } = cost;
      return scryptSync(password, salt, 32, { N: n, r, p, maxmem: 64 * 1024 * 1024 });
    },
  };
}

const RFC_COST = { n: 1024, r: 8, p: 16 };

describe("hashes of passwords", () => {
  it("F22: open for the password they were made of, and for no other", async () => {
    const { derive } = deriver();
    const stored = await hashPassword(derive, "right horse");
    expect(await checkPassword(derive, "right horse", stored)).toEqual({
      right: true,
      stale: false,
    });
    expect(await checkPassword(derive, "Right horse", stored)).toEqual({
      right: false,
      stale: false,
    });
    expect(await hashPassword(derive, "right horse")).not.toBe(stored);
  });

  it("F22: do the same work for nobody, for a broken hash, and for a password of nothing", async () => {
    const { derive, costs } = deriver();
    for (const stored of [null, "", "scrypt$16384$8$5$short$short", "bcrypt$x"]) {
      expect(await checkPassword(derive, "anything", stored)).toEqual({
        right: false,
        stale: false,
      });
    }
    expect(costs).toEqual(Array.from({ length: 4 }, () => ({ n: 16_384, r: 8, p: 5 })));
  });

  it("F22: of another cost open, and say that they are stale", async () => {
    const { derive } = deriver();
    const salt = Buffer.from("NaClNaClNaClNaCl");
    const hash = scryptSync("password", salt, 32, { N: RFC_COST.n, r: RFC_COST.r, p: RFC_COST.p });
    const stored = `scrypt$1024$8$16$${salt.toString("base64url")}$${hash.toString("base64url")}`;
    expect(await checkPassword(derive, "password", stored)).toEqual({ right: true, stale: true });
    expect(await checkPassword(derive, "passwort", stored)).toEqual({ right: false, stale: false });
  });
});

describe("what may be a password", () => {
  it("F22: 8 to 1024 characters of any script, counted as people count them", () => {
    for (const text of ["12 45 78", "𝔭𝔞𝔰𝔰𝔴𝔬𝔯𝔡", "x".repeat(1024), "ü".repeat(1024), "        "]) {
      expect(NewPassword.safeParse(text).success).toBe(true);
    }
    for (const text of ["1234567", "𝔭𝔞𝔰𝔰𝔴𝔬𝔯", "x".repeat(1025), ""]) {
      expect(NewPassword.safeParse(text).success).toBe(false);
    }
  });

  it("F22: the same characters are the same password in whichever form they come", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
        const forms = ["NFC", "NFD"].map((form) => TypedPassword.parse(text.normalize(form)));
        expect(forms[0]).toBe(forms[1]);
      }),
    );
  });

  it.each([
    ["Password123!", "worst with a tail"],
    ["QWERTYUIOP", "worst in capitals"],
    ["abababababab", "two characters"],
    ["my ada@acme.example is it", "the address"],
    ["longname2026 yes", "the name in it"],
  ])("F22: %s is refused: %s", (password) => {
    const email = password.includes("longname") ? "longname2026@x.example" : "ada@acme.example";
    expect(() => demandGoodPassword(password, email, "/password")).toThrow(Problem);
  });

  it("F22: a short name in a long password is no fault", () => {
    expect(() => demandGoodPassword("nevada coastline", "ada@acme.example", "/p")).not.toThrow();
  });
});
