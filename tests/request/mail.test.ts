/** Mail reaches whom it is for, says what it must and no more, and no trouble on its way loses it. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { actingAs, tenantScope } from "../../core/db/scope.ts";
import { createInvitation } from "../../core/invitations/store.ts";
import { servicesOf } from "../../workers/edge/services.ts";
import { sendDueMail } from "../../workers/jobs/mail.ts";
import { MAIL_KEY } from "../fixtures/mail-key.ts";
import { mailedLink, mailsTo, newPerson, open, PASSWORD } from "../fixtures/people.ts";
import { type TestTenant, newWorld } from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
});

type Owed = { readonly id: string; readonly attempts: number; readonly due_at_ms: number };

/** What is still owed about an invitation. */
async function owed(subject: string): Promise<readonly Owed[]> {
  const read = env.DB.prepare("SELECT * FROM outbox WHERE subject = ?").bind(subject);
  return (await read.all<Owed>()).results;
}

async function invite(email: string): Promise<string> {
  const json = { email, role: "viewer" };
  return (await acme.json<{ id: string }>("/v1/invitations", 201, { json })).id;
}

/** The next sweep, at a time at which everything is due. */
async function sweepLater(): Promise<void> {
  await env.DB.prepare("UPDATE outbox SET due_at_ms = 0 WHERE kind = 'mail'").run();
  await sendDueMail(servicesOf(env));
}

type Sent = { readonly key: string; readonly headers: Readonly<Record<string, string>> };

async function attempts(email: string, count: number): Promise<readonly Sent[]> {
  const query = new URLSearchParams({ label: email, count: String(count) });
  const url = `http://127.0.0.1:${env.TEST_MAIL_PORT}/__wait?${query.toString()}`;
  return (await (await fetch(url)).json<{ requests: Sent[] }>()).requests;
}

describe("a mail", () => {
  it("F21: holds the link, the tenant's name, who invited, and nothing else", async () => {
    const inviter = await newPerson(acme);
    const email = "told@acme.example";
    await inviter.ask("/v1/invitations", { json: { email, role: "developer" } });
    const [mail] = await mailsTo(email);
    const link = await mailedLink(email);
    const { user } = await (await inviter.ask("/v1/users/me")).json<{ user: { name: string } }>();
    expect(mail).toEqual({
      from: "Berth <berth@localhost.example>",
      to: [email],
      subject: "You are invited to acme",
      text: [
        `${user.name} invites you to acme.`,
        "",
        "Open this link within seven days to choose a password and join:",
        link,
        "",
      ].join("\n"),
    });
    const [{ headers } = { headers: {} }] = await attempts(email, 1);
    expect(headers).toMatchObject({ authorization: `Bearer ${MAIL_KEY}` });
  });

  it("F21: leads to its own tenant's console, with the token behind the #", async () => {
    const email = `admin@${globex.slug}.example`;
    const link = await mailedLink(email);
    expect(link).toMatch(/^http:\/\/globex\.localhost:8787\/console\/reset#token=[\w-]{69}$/);
  });

  it.each(["fail", "slow", "close"])(
    "F21: that did not go through (%s) is sent again, the same, under the same key",
    async (trouble) => {
      const email = `${trouble}.guest@acme.example`;
      const id = await invite(email);
      await attempts(email, 1);
      await sweepLater();
      const [first, second] = await attempts(email, 2);
      expect(second?.key).toBe(first?.key);
      const [one, two] = await mailsTo(email, 2);
      expect(two).toEqual(one);
      expect(await owed(id)).toEqual([]);
      const token = new URL(await mailedLink(email, 2)).hash.replace("#token=", "");
      const json = { token, name: "G", password: PASSWORD };
      expect((await open(acme, "/auth/invitations/accept", { json })).status).toBe(200);
    },
  );

  it("F21: that is refused for good is not sent again", async () => {
    const email = "refuse.guest@acme.example";
    const id = await invite(email);
    await attempts(email, 1);
    await sweepLater();
    expect(await owed(id)).toEqual([]);
    expect(await attempts(email, 1)).toHaveLength(1);
  });

  it("F21: that hangs keeps nobody waiting, and is owed until it is taken over", async () => {
    const email = "hang.guest@acme.example";
    const id = await invite(email);
    await attempts(email, 1);
    const [row] = await owed(id);
    expect(row).toMatchObject({ attempts: 1 });
    expect(row?.due_at_ms).toBeGreaterThan(Date.now());
    await acme.json(`/v1/invitations/${id}/revoke`, 200, { method: "POST" });
  });

  it("F21: whose sender died before it sent is sent by the sweep", async () => {
    const { platform } = servicesOf(env);
    const by = { kind: "system", id: "system", address: null, requestId: null } as const;
    const scope = actingAs(tenantScope(platform, acme.id), by);
    const input = { email: "orphan@acme.example", role: "viewer" };
    const { invitation } = await createInvitation(scope, input, Date.now());
    expect(await owed(invitation.id)).toHaveLength(1);
    await sendDueMail(servicesOf(env));
    expect((await mailsTo(input.email))[0]?.text).toContain("You are invited to acme.");
    expect(await owed(invitation.id)).toEqual([]);
  });

  it("F21: about what was taken back meanwhile is not sent at all", async () => {
    const { platform } = servicesOf(env);
    const scope = tenantScope(platform, acme.id);
    const input = { email: "taken-back@acme.example", role: "viewer" };
    const { invitation } = await createInvitation(scope, input, Date.now());
    await acme.json(`/v1/invitations/${invitation.id}/revoke`, 200, { method: "POST" });
    await sweepLater();
    expect(await owed(invitation.id)).toEqual([]);
    expect(await attempts(input.email, 0)).toEqual([]);
  });

  it("F21: is kept while nobody has said where mail is handed over", async () => {
    const { platform } = servicesOf(env);
    const scope = tenantScope(platform, acme.id);
    const input = { email: "later@acme.example", role: "viewer" };
    const { invitation } = await createInvitation(scope, input, Date.now());
    await sendDueMail(servicesOf(Object.assign({}, env, { MAIL_API_URL: "" })));
    expect(await owed(invitation.id)).toMatchObject([{ attempts: 1 }]);
    await sweepLater();
    expect(await mailsTo(input.email)).toHaveLength(1);
  });

  it("F21: and a link of an earlier sending opens nothing once it was sent again", async () => {
    const email = "twice@acme.example";
    const id = await invite(email);
    const first = new URL(await mailedLink(email)).hash.replace("#token=", "");
    await acme.json(`/v1/invitations/${id}/resend`, 200, { method: "POST" });
    const second = new URL(await mailedLink(email, 2)).hash.replace("#token=", "");
    const accept = (token: string) =>
      open(acme, "/auth/invitations/accept", { json: { token, name: "T", password: PASSWORD } });
    expect((await accept(first)).status).toBe(403);
    expect((await accept(second)).status).toBe(200);
  });
});
