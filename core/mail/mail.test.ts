import { describe, expect, it } from "vitest";
import { newId } from "../ids.ts";
import type { MailContent } from "./contract.ts";
import { httpMail } from "./http.ts";
import { linkedId, linkToken, opens } from "./link.ts";
import { mailOf } from "./text.ts";

const NOW = 1_790_000_000_000;
const keyOf = (kid: string) => ({ kid, key: crypto.getRandomValues(new Uint8Array(32)) });
const [OLD, NEW] = [keyOf("old"), keyOf("new")];
const SUBJECT = { tenantId: newId("tenant", NOW), id: newId("invitation", NOW), edition: 1 };

describe("tokens of links", () => {
  it("F21: are the same each time, and open what they were made for by either key", async () => {
    const token = await linkToken([OLD], SUBJECT);
    expect(await linkToken([OLD], SUBJECT)).toBe(token);
    expect(linkedId("invitation", token)).toBe(SUBJECT.id);
    expect(await opens([OLD], token, SUBJECT)).toBe(true);
    expect(await opens([NEW, OLD], token, SUBJECT)).toBe(true);
    expect(await opens([NEW], token, SUBJECT)).toBe(false);
  });

  it("F21: open nothing of another tenant, another edition, another id or another kind", async () => {
    const token = await linkToken([OLD], SUBJECT);
    for (const change of [
      { tenantId: newId("tenant", NOW) },
      { edition: 2 },
      { id: newId("invitation", NOW) },
      { id: SUBJECT.id.replace("ivt_", "cnf_") },
    ]) {
      expect(await opens([OLD], token, { ...SUBJECT, ...change })).toBe(false);
    }
    const flipped = `${token.slice(0, -2)}${token.at(-2) === "A" ? "B" : "A"}${token.at(-1)}`;
    expect(await opens([OLD], flipped, SUBJECT)).toBe(false);
  });

  it.each(["", "x", "0".repeat(69).slice(1), `${"i".repeat(26)}${"A".repeat(43)}`, "é".repeat(69)])(
    "F21: %j is none",
    (text) => {
      expect(linkedId("invitation", text)).toBeUndefined();
    },
  );
});

describe("the HTTP mail API", () => {
  const mail = { id: "evt_1", to: "a@x.example", subject: "S", text: "T" };
  const api = { url: "https://mail.example/emails", key: "k", from: "b@x.example" };
  const answering = (status: number) =>
    httpMail(() => Promise.resolve(new Response(null, { status })), api)(mail);

  it.each([
    [200, "sent"],
    [202, "sent"],
    [302, "later"],
    [400, "refused"],
    [401, "later"],
    [422, "refused"],
    [429, "later"],
    [500, "later"],
  ] as const)("F21: %i is %s", async (status, outcome) => {
    expect((await answering(status)).outcome).toBe(outcome);
  });

  it("F21: what fails on the way is for later, and says nothing of the address", async () => {
    const failing = httpMail(() => Promise.reject(new TypeError(`no way to ${mail.to}`)), api);
    expect(await failing(mail)).toEqual({ outcome: "later", detail: "TypeError" });
  });
});

describe("the words of mails", () => {
  const CONTENT: Omit<MailContent, "purpose"> = {
    to: "a@x.example",
    tenantName: "Acme & Söhne",
    from: "Ada",
    link: "https://acme.example.com/console/verify#token=t",
  };

  it.each(["invitation", "registration", "known", "verification", "reset", "welcome"] as const)(
    "F21: %s names the tenant, has the link on a line of its own, and no address",
    (purpose) => {
      const { subject, text } = mailOf("evt_1", { ...CONTENT, purpose });
      expect(subject).toContain(CONTENT.tenantName);
      expect(text.split("\n")).toContain(CONTENT.link);
      expect(subject + text).not.toContain("@");
    },
  );
});
