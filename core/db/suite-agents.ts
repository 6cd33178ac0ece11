import { describe, expect, it } from "vitest";
import { LlmSpec } from "../agents/spec.ts";
import {
  createAgent,
  deleteAgent,
  getAgent,
  getDraft,
  listAgents,
  patchAgent,
  putDraft,
} from "../agents/store.ts";
import { encodeCursor } from "../page.ts";
import {
  createProvider,
  deleteProvider,
  getProvider,
  listProviders,
  patchProvider,
} from "../providers/store.ts";
import { getVersion, listVersions, publishDraft } from "../versions/store.ts";
import {
  FIRST_PAGE,
  NOON,
  newAgent,
  newTenant,
  type Open,
  PORTS,
  race,
  refusal,
} from "./suite-world.ts";

const SPEC = LlmSpec.parse({ kind: "llm", instructions: "Answer shortly." });
const BOT = { slug: "bot", name: "Bot", description: "" };
const seal = async (of: { tenantId: string; providerId: string }, text: string) =>
  `sealed(${of.tenantId}|${of.providerId}|${text.length})`;

export function agentCases(open: Open): void {
  describe("agents", () => {
    it("F45: creates, reads by id and by slug, patches and deletes", async () => {
      const { scope } = await newTenant(open());
      const made = await createAgent(scope, { ...BOT, spec: SPEC }, NOON);
      expect(made).toMatchObject({ slug: "bot", revision: 1, latest_version: null, live: {} });
      expect(await getAgent(scope, made.id)).toEqual(made);
      expect(await getAgent(scope, "bot")).toEqual(made);
      const patched = await patchAgent(scope, made.id, 1, { name: "Robot" }, NOON + 1);
      expect(patched).toMatchObject({ name: "Robot", slug: "bot", revision: 2 });
      await deleteAgent(scope, made.id, 2, NOON + 2);
      expect(await refusal(getAgent(scope, made.id))).toBe("not_found");
      expect(await refusal(getAgent(scope, "bot"))).toBe("not_found");
      expect(await refusal(getDraft(scope, made.id))).toBe("not_found");
      expect((await listAgents(scope, FIRST_PAGE)).data).toEqual([]);
    });

    it("F45: a slug is unique among live agents of a tenant, and free after deletion", async () => {
      const { scope } = await newTenant(open());
      const first = await createAgent(scope, BOT, NOON);
      expect(await refusal(createAgent(scope, BOT, NOON))).toBe("already_exists");
      await createAgent((await newTenant(open())).scope, BOT, NOON);
      await deleteAgent(scope, first.id, 1, NOON);
      const second = await createAgent(scope, BOT, NOON + 1);
      expect(second.id).not.toBe(first.id);
      expect((await getAgent(scope, "bot")).id).toBe(second.id);
    });

    it("of racing claims to one slug one wins, with its draft", async () => {
      const { scope } = await newTenant(open());
      const claims = Array.from({ length: 4 }, () => createAgent(scope, BOT, NOON));
      expect((await race(claims)).won).toBe(1);
      expect((await listAgents(scope, FIRST_PAGE)).data).toHaveLength(1);
      expect((await getDraft(scope, "bot")).revision).toBe(1);
    });

    it("of two racing editors one wins and the other is told", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createAgent(scope, BOT, NOON);
      const { won, refused } = await race([
        patchAgent(scope, id, 1, { name: "A" }, NOON),
        patchAgent(scope, id, 1, { name: "B" }, NOON),
      ]);
      expect({ won, refused }).toEqual({ won: 1, refused: ["version_conflict"] });
      expect((await getAgent(scope, id)).revision).toBe(2);
      expect(await refusal(deleteAgent(scope, id, 1, NOON))).toBe("version_conflict");
    });

    it("of racing renames onto one slug one wins and the others are told", async () => {
      const { scope } = await newTenant(open());
      const agents = await Promise.all(
        ["a", "b", "c"].map((slug) => createAgent(scope, { ...BOT, slug }, NOON)),
      );
      const { won, refused } = await race(
        agents.map(({ id }) => patchAgent(scope, id, 1, { slug: "wanted" }, NOON)),
      );
      expect({ won, refused }).toEqual({ won: 1, refused: ["already_exists", "already_exists"] });
    });

    it("does not rename an agent onto another's slug", async () => {
      const { scope } = await newTenant(open());
      const bot = await createAgent(scope, BOT, NOON);
      await createAgent(scope, { ...BOT, slug: "other" }, NOON);
      const renaming = patchAgent(scope, bot.id, 1, { slug: "other" }, NOON);
      expect(await refusal(renaming)).toBe("already_exists");
      const same = await patchAgent(scope, bot.id, 1, { slug: "bot" }, NOON);
      expect(same.revision).toBe(2);
    });

    it("F204: 25 rows in pages of ten: 10, 10, 5, each once, in order", async () => {
      const { scope } = await newTenant(open());
      for (let i = 0; i < 25; i += 1) {
        await createAgent(scope, { ...BOT, slug: `bot-${i}` }, NOON + i);
      }
      const pages: string[][] = [];
      let cursor: string | undefined;
      do {
        const page = await listAgents(scope, { limit: 10, ...(cursor && { cursor }) });
        pages.push(page.data.map(({ slug }) => slug));
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
      expect(pages.map(({ length }) => length)).toEqual([10, 10, 5]);
      expect(pages.flat()).toEqual(Array.from({ length: 25 }, (_, i) => `bot-${i}`));
      const whole = await listAgents(scope, { limit: 25 });
      expect(whole.next_cursor).toBeNull();
    });

    it("lists a full page of a hundred within D1's bound parameters", async () => {
      const { scope } = await newTenant(open());
      await Promise.all(
        Array.from({ length: 101 }, (_, i) => createAgent(scope, { ...BOT, slug: `b-${i}` }, NOON)),
      );
      const page = await listAgents(scope, { limit: 100 });
      expect(page.data).toHaveLength(100);
      expect(page.next_cursor).not.toBeNull();
    });

    it.each(["agt_", "x", "\u0000", "ten_00000000000000000000000000", "' or 1=1 --"])(
      "refuses a cursor that holds %j before any statement",
      async (text) => {
        const { scope } = await newTenant(open());
        const listing = listAgents(scope, { limit: 10, cursor: encodeCursor(text) });
        expect(await refusal(listing)).toBe("bad_request");
      },
    );

    it.each(["a\u0000b", "\ud800", "agt_' or 1=1", "x".repeat(10_000)])(
      "finds nothing by an absurd name, and says no more than that",
      async (name) => {
        const { scope } = await newTenant(open());
        expect(await refusal(getAgent(scope, name))).toBe("not_found");
      },
    );

    it("keeps text exactly: quotes, emoji, question marks, what looks like SQL", async () => {
      const { scope } = await newTenant(open());
      const name = `O'Brien "? $1 ?" 🤖 \\ %s; drop table agent --`;
      const made = await createAgent(scope, { ...BOT, name }, NOON);
      expect((await getAgent(scope, made.id)).name).toBe(name);
    });
  });

  describe("drafts and versions", () => {
    it("F45: a draft has a revision of its own", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createAgent(scope, BOT, NOON);
      const put = await putDraft(scope, id, 1, SPEC, NOON + 1);
      expect(put).toMatchObject({ agent_id: id, revision: 2, spec: SPEC });
      expect(await getDraft(scope, "bot")).toEqual(put);
      expect((await getAgent(scope, id)).revision).toBe(1);
      expect(await refusal(putDraft(scope, id, 1, SPEC, NOON))).toBe("version_conflict");
    });

    it("F45: publishing makes numbered versions that later edits do not touch", async () => {
      const { scope } = await newTenant(open());
      const { agent, version } = await newAgent(scope);
      await putDraft(scope, agent.id, 1, SPEC, NOON);
      const second = await publishDraft(scope, agent.id, 2, PORTS, NOON);
      expect(second).toMatchObject({ number: 2, spec: SPEC });
      expect(await getVersion(scope, agent.slug, 1)).toEqual(version);
      const listed = await listVersions(scope, agent.id, { limit: 1 });
      expect(listed.data.map(({ number }) => number)).toEqual([2]);
      const rest = await listVersions(scope, agent.id, {
        limit: 1,
        cursor: listed.next_cursor ?? "",
      });
      expect(rest.data.map(({ number }) => number)).toEqual([1]);
      expect((await getAgent(scope, agent.id)).latest_version).toBe(2);
      expect(await refusal(getVersion(scope, agent.id, 3))).toBe("not_found");
    });

    it("F45: the same content is the same version, also after another one", async () => {
      const { scope } = await newTenant(open());
      const { agent, version } = await newAgent(scope);
      expect(await publishDraft(scope, agent.id, 1, PORTS, NOON + 5)).toEqual(version);
      await putDraft(scope, agent.id, 1, SPEC, NOON);
      await publishDraft(scope, agent.id, 2, PORTS, NOON);
      await putDraft(scope, agent.id, 2, version.spec, NOON);
      expect(await publishDraft(scope, agent.id, 3, PORTS, NOON)).toEqual(version);
    });

    it("racing publishers of one draft get one version", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createAgent(scope, BOT, NOON);
      const versions = await Promise.all(
        Array.from({ length: 5 }, () => publishDraft(scope, id, 1, PORTS, NOON)),
      );
      expect(new Set(versions.map((version) => version.id)).size).toBe(1);
      expect((await listVersions(scope, id, FIRST_PAGE)).data).toHaveLength(1);
      expect((await getAgent(scope, id)).latest_version).toBe(1);
    });

    it("refuses a stale draft and a spec that cannot run, and makes no version", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createAgent(scope, BOT, NOON);
      expect(await refusal(publishDraft(scope, id, 2, PORTS, NOON))).toBe("version_conflict");
      await putDraft(scope, id, 1, { ...SPEC, model: "openai/gpt-5.2-mini" }, NOON);
      expect(await refusal(publishDraft(scope, id, 2, PORTS, NOON))).toBe("spec_invalid");
      expect((await getAgent(scope, id)).latest_version).toBeNull();
      const body = { slug: "openai", kind: "openai" as const, base_url: "https://api.test/v1" };
      await createProvider(scope, body, seal, NOON);
      expect((await publishDraft(scope, id, 2, PORTS, NOON)).number).toBe(1);
    });
  });

  describe("providers", () => {
    const body = {
      slug: "groq",
      kind: "openai" as const,
      base_url: "https://api.groq.test/v1",
      api_key: "sk-12345",
    };

    it("seals the key under its own id and never answers with it", async () => {
      const { scope } = await newTenant(open());
      const sealed: string[] = [];
      const spy = async (of: { tenantId: string; providerId: string }, text: string) => {
        sealed.push(JSON.stringify([of, text]));
        return seal(of, text);
      };
      const made = await createProvider(scope, body, spy, NOON);
      expect(sealed).toEqual([
        JSON.stringify([{ tenantId: scope.tenantId, providerId: made.id }, "sk-12345"]),
      ]);
      expect(made).toMatchObject({ slug: "groq", has_key: true, revision: 1 });
      const listed = await listProviders(scope, FIRST_PAGE);
      expect(listed.data).toEqual([made]);
      expect(JSON.stringify(listed)).not.toContain("sealed");
    });

    it("patches and deletes at a revision; a slug is taken once", async () => {
      const { scope } = await newTenant(open());
      const made = await createProvider(scope, body, seal, NOON);
      expect(await refusal(createProvider(scope, body, seal, NOON))).toBe("already_exists");
      const bare = await patchProvider(scope, made.id, 1, { api_key: null }, seal, NOON);
      expect(bare).toMatchObject({ has_key: false, revision: 2, base_url: body.base_url });
      const stale = patchProvider(scope, made.id, 1, { api_key: "sk-9" }, seal, NOON);
      expect(await refusal(stale)).toBe("version_conflict");
      expect(await refusal(deleteProvider(scope, made.id, 1, NOON))).toBe("version_conflict");
      await deleteProvider(scope, made.id, 2, NOON);
      expect(await refusal(getProvider(scope, made.id))).toBe("not_found");
      expect(await refusal(deleteProvider(scope, made.id, 2, NOON))).toBe("not_found");
    });
  });

  describe("the wall between tenants, for what is defined", () => {
    it("F5, F13: every look-up and change by another tenant finds nothing", async () => {
      const acme = (await newTenant(open())).scope;
      const globex = (await newTenant(open())).scope;
      const { agent } = await newAgent(acme, "theirs");
      const provider = await createProvider(
        acme,
        { slug: "p", kind: "openai", base_url: "https://p.test" },
        seal,
        NOON,
      );
      const tries = [agent.id, agent.slug].flatMap((name) => [
        getAgent(globex, name),
        patchAgent(globex, name, 1, { name: "mine" }, NOON),
        deleteAgent(globex, name, 1, NOON),
        getDraft(globex, name),
        putDraft(globex, name, 1, SPEC, NOON),
        publishDraft(globex, name, 1, PORTS, NOON),
        listVersions(globex, name, FIRST_PAGE),
        getVersion(globex, name, 1),
      ]);
      const more = [
        getProvider(globex, provider.id),
        patchProvider(globex, provider.id, 1, { api_key: "x" }, seal, NOON),
        deleteProvider(globex, provider.id, 1, NOON),
      ];
      const codes = await Promise.all([...tries, ...more].map(refusal));
      expect(new Set(codes)).toEqual(new Set(["not_found"]));
      expect(await listAgents(globex, FIRST_PAGE)).toEqual({ data: [], next_cursor: null });
      expect(await getAgent(acme, agent.id)).toMatchObject({ name: "theirs", revision: 1 });
      expect((await getDraft(acme, agent.id)).revision).toBe(1);
    });
  });
}
