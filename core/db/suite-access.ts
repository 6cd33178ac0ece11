import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Statement } from "../access/contract.ts";
import { findAccess } from "../access/store.ts";
import {
  createAssignment,
  deleteAssignment,
  getAssignment,
  listAssignments,
} from "../access/store-assignments.ts";
import { administratorRemains, holdTenant } from "../access/store-admins.ts";
import { createRole, deleteRole, getRole, listRoles, patchRole } from "../access/store-roles.ts";
import { createAgent, getAgent, listAgents, patchAgent } from "../agents/store.ts";
import { newId } from "../ids.ts";
import { member } from "../members/table.ts";
import { TENANT_SCOPES } from "../principals/contract.ts";
import { defaultProjectId } from "../projects/contract.ts";
import {
  createProject,
  deleteProject,
  getProject,
  listProjects,
  patchProject,
} from "../projects/store.ts";
import { project } from "../projects/table.ts";
import { user } from "../users/table.ts";
import type { TenantScope } from "./scope.ts";
import {
  FIRST_PAGE,
  NOON,
  newTenant,
  type Open,
  principalOf,
  race,
  refusal,
} from "./suite-world.ts";

const allow = (...scopes: string[]): Statement => ({ effect: "allow", scopes });
const deny = (...scopes: string[]): Statement => ({ effect: "deny", scopes });

function roleOf(slug: string, ...statements: Statement[]) {
  return { slug, name: slug, description: "", statements };
}

/** A member in this role, without an invitation. */
async function newMember(scope: TenantScope, role: string): Promise<string> {
  const { db, tenantId } = scope;
  const id = newId("user", NOON);
  const of = { tenantId, createdAtMs: NOON };
  await db.batch([
    db.insert(user).values({ ...of, id, email: `${id}@example.com`, name: "Bo" }),
    db.insert(member).values({ ...of, id: newId("member", NOON), userId: id, role }),
  ]);
  return id;
}

export function accessCases(open: Open): void {
  describe("roles", () => {
    it("F26: are built in, and the tenant's own, which others never see", async () => {
      const { scope } = await newTenant(open());
      const { scope: other } = await newTenant(open());
      const made = await createRole(scope, principalOf(scope), roleOf("ops", allow("*")), NOON);
      expect(await getRole(scope, made.id)).toEqual(made);
      expect(await getRole(scope, "ops")).toEqual(made);
      expect((await listRoles(scope, FIRST_PAGE)).data.map(({ slug }) => slug)).toEqual([
        "admin",
        "developer",
        "operator",
        "viewer",
        "auditor",
        "invoker",
        "ops",
      ]);
      expect(await refusal(getRole(other, made.id))).toBe("not_found");
      expect(await refusal(getRole(other, "ops"))).toBe("not_found");
      const taken = createRole(scope, principalOf(scope), roleOf("ops", allow("*")), NOON);
      expect(await refusal(taken)).toBe("already_exists");
      const builtIn = createRole(scope, principalOf(scope), roleOf("admin", allow("*")), NOON);
      expect(await refusal(builtIn)).toBe("already_exists");
    });

    it("F26: keep names in conditions by id, and refuse what the tenant has not", async () => {
      const { scope } = await newTenant(open());
      const { scope: other } = await newTenant(open());
      const agent = await createAgent(scope, { slug: "bot", name: "Bot", description: "" }, NOON);
      const when = { agents: ["bot"], projects: ["default"], environments: ["dev"] };
      const wanted = roleOf("r", { ...allow("agents:invoke"), when });
      const { statements } = await createRole(scope, principalOf(scope), wanted, NOON);
      expect(statements[0]?.when).toEqual({
        agents: [agent.id],
        projects: [defaultProjectId(scope.tenantId)],
        environments: ["dev"],
      });
      expect(await refusal(createRole(other, principalOf(other), wanted, NOON))).toBe("invalid");
      const foreign = { ...allow("agents:invoke"), when: { agents: [agent.id] } };
      const theirs = createRole(other, principalOf(other), roleOf("r", foreign), NOON);
      expect(await refusal(theirs)).toBe("invalid");
    });

    it("F26: nobody makes one of more than they hold, nor lifts a denial of it", async () => {
      const { scope } = await newTenant(open());
      const weak = principalOf(scope, { scopes: ["roles:write", "agents:read"] });
      const wide = createRole(scope, weak, roleOf("wide", allow("agents:*")), NOON);
      expect(await refusal(wide)).toBe("forbidden");
      const made = await createRole(scope, weak, roleOf("r", allow("agents:read")), NOON);
      const patch = (statements: Statement[], revision: number, principal = weak) =>
        patchRole(scope, principal, { id: made.id, revision, patch: { statements } }, NOON);
      expect(await refusal(patch([allow("keys:write")], 1))).toBe("forbidden");
      const strong = principalOf(scope);
      await patch([allow("agents:read"), deny("keys:write")], 1, strong);
      expect(await refusal(patch([allow("agents:read")], 2))).toBe("forbidden");
      expect((await patch([allow("agents:read")], 2, strong)).revision).toBe(3);
    });

    it("F26: change at the revision read, and go when nobody holds them", async () => {
      const { scope, admin } = await newTenant(open());
      const giver = principalOf(scope);
      const made = await createRole(scope, giver, roleOf("r", allow("agents:read")), NOON);
      const renamed = { id: "r", revision: 1, patch: { name: "R" } };
      const edits = await race([
        patchRole(scope, giver, renamed, NOON),
        patchRole(scope, giver, renamed, NOON),
      ]);
      expect(edits).toEqual({ won: 1, refused: ["version_conflict"] });
      const { id } = await createAssignment(scope, giver, { principal: admin.id, role: "r" }, NOON);
      expect(await refusal(deleteRole(scope, made.id, 2, NOON))).toBe("conflict");
      await deleteAssignment(scope, giver, id, NOON);
      expect(await refusal(deleteRole(scope, made.id, 1, NOON))).toBe("version_conflict");
      await deleteRole(scope, made.id, 2, NOON);
      expect(await refusal(getRole(scope, made.id))).toBe("not_found");
      expect(await refusal(deleteRole(scope, "viewer", 1, NOON))).toBe("conflict");
    });

    it("F26: of deleting one and assigning it, one wins", async () => {
      const { scope, admin } = await newTenant(open());
      const giver = principalOf(scope);
      for (const slug of ["a", "b", "c"]) {
        await createRole(scope, giver, roleOf(slug, allow("agents:read")), NOON);
        const { won } = await race([
          deleteRole(scope, slug, 1, NOON),
          createAssignment(scope, giver, { principal: admin.id, role: slug }, NOON),
        ]);
        const { data } = await listAssignments(scope, { ...FIRST_PAGE, role: slug });
        const gone = (await Promise.allSettled([getRole(scope, slug)]))[0].status === "rejected";
        expect([slug, won, gone]).toEqual([slug, 1, data.length === 0]);
      }
    });
  });

  describe("assignments", () => {
    it("F26: a membership's role counts as one, and every other adds to it", async () => {
      const { scope, admin } = await newTenant(open());
      const giver = principalOf(scope);
      expect((await findAccess(scope, "user", admin.id))?.scopes).toEqual(TENANT_SCOPES);
      const bo = await newMember(scope, "invoker");
      const before = await findAccess(scope, "user", bo);
      expect(before?.scopes).toEqual(["agents:invoke", "external-agents:invoke"]);
      const wanted = { principal: bo, role: "auditor", environment: "dev" };
      const made = await createAssignment(scope, giver, wanted, NOON);
      expect(await getAssignment(scope, made.id)).toEqual(made);
      const after = await findAccess(scope, "user", bo);
      expect(after?.scopes).toContain("audit:read");
      expect(after?.grants.map(({ role, when }) => [role, when?.environments])).toEqual([
        ["invoker", undefined],
        ["auditor", ["dev"]],
        ["auditor", undefined], // reading agents, which are in no environment
      ]);
      await deleteAssignment(scope, giver, made.id, NOON);
      expect(await findAccess(scope, "user", bo)).toEqual(before);
      expect(await findAccess(scope, "user", newId("user", NOON))).toBeUndefined();
      const none = await findAccess(scope, "app_client", newId("client", NOON));
      expect(none).toEqual({ scopes: [], grants: [] });
    });

    it("F26: are of this tenant's principals and roles, once each, and bounded by the giver", async () => {
      const { scope, admin } = await newTenant(open());
      const { scope: other, admin: theirs } = await newTenant(open());
      const giver = principalOf(scope);
      const give = (part: object, by = giver) =>
        createAssignment(scope, by, { principal: admin.id, role: "viewer", ...part }, NOON);
      const made = await give({});
      expect(await refusal(give({}))).toBe("already_exists");
      expect((await give({ environment: "dev" })).environment).toBe("dev");
      for (const part of [
        { principal: theirs.id },
        { principal: newId("client", NOON) },
        { role: "nothing" },
        { agent: "nothing" },
        { project: "nothing" },
        { environment: "nothing" },
        { expires_at: "2020-01-01T00:00:00Z" },
      ]) {
        expect([part, await refusal(give(part))]).toEqual([part, "invalid"]);
      }
      const weak = principalOf(scope, { scopes: ["roles:write"] });
      expect(await refusal(give({ role: "invoker" }, weak))).toBe("forbidden");
      const taking = deleteAssignment(scope, weak, made.id, NOON);
      expect(await refusal(taking)).toBe("forbidden"); // a stronger one's is not theirs to take
      const narrowed = principalOf(scope, { environment: "dev" });
      expect(await refusal(give({ role: "invoker" }, narrowed))).toBe("forbidden");
      expect(await refusal(getAssignment(other, made.id))).toBe("not_found");
      expect(await refusal(deleteAssignment(other, principalOf(other), made.id, NOON))).toBe(
        "not_found",
      );
      const twice = { principal: admin.id, role: "auditor" };
      const racing = await race([
        createAssignment(scope, giver, twice, NOON),
        createAssignment(scope, giver, twice, NOON),
      ]);
      expect(racing).toEqual({ won: 1, refused: ["already_exists"] });
    });

    it("F26: the last administrator is not denied anything, and keeps the role", async () => {
      const { scope, admin } = await newTenant(open());
      const giver = principalOf(scope);
      await createRole(scope, giver, roleOf("banned", deny("keys:*")), NOON);
      const ban = { principal: admin.id, role: "banned" };
      expect(await refusal(createAssignment(scope, giver, ban, NOON))).toBe("conflict");
      const bo = await newMember(scope, "viewer");
      const second = await createAssignment(scope, giver, { principal: bo, role: "admin" }, NOON);
      await createAssignment(scope, giver, ban, NOON); // another is left
      expect(await refusal(deleteAssignment(scope, giver, second.id, NOON))).toBe("conflict");
      const limited = { principal: bo, role: "admin", environment: "dev" };
      await createAssignment(scope, giver, limited, NOON); // counts for nothing here
      expect(await refusal(deleteAssignment(scope, giver, second.id, NOON))).toBe("conflict");
      const harmless = await createRole(scope, giver, roleOf("r", allow("agents:read")), NOON);
      await createAssignment(scope, giver, { principal: bo, role: "r" }, NOON);
      const patch = { statements: [deny("agents:read")] };
      const denying = patchRole(scope, giver, { id: harmless.id, revision: 1, patch }, NOON);
      expect(await refusal(denying)).toBe("conflict");
    });

    it("F26: of two administrators who race to take each other's role away, one stays", async () => {
      for (let round = 0; round < 5; round += 1) {
        const { scope, admin } = await newTenant(open());
        const giver = principalOf(scope);
        await scope.db.update(member).set({ role: "viewer" }).where(eq(member.userId, admin.id));
        const bo = await newMember(scope, "viewer");
        const first = await createAssignment(
          scope,
          giver,
          { principal: admin.id, role: "admin" },
          NOON,
        );
        const second = await createAssignment(scope, giver, { principal: bo, role: "admin" }, NOON);
        const outcome = await race([
          deleteAssignment(scope, giver, first.id, NOON),
          deleteAssignment(scope, giver, second.id, NOON),
        ]);
        expect(outcome).toEqual({ won: 1, refused: ["conflict"] });
        expect((await listAssignments(scope, FIRST_PAGE)).data).toHaveLength(1);
      }
    });

    it("F26: a member's removal stands under the same rule", async () => {
      const { scope, admin } = await newTenant(open());
      const { db } = scope;
      const removal = (userId: string) =>
        db.batch([
          holdTenant(scope),
          db
            .delete(member)
            .where(administratorRemains(scope, { userGone: userId }))
            .returning(),
        ]);
      expect((await removal(admin.id))[1]).toEqual([]);
    });
  });

  describe("projects", () => {
    it("F19: every tenant has the default one, older tenants when somebody looks", async () => {
      const { scope } = await newTenant(open());
      const id = defaultProjectId(scope.tenantId);
      expect((await listProjects(scope, FIRST_PAGE, NOON)).data).toMatchObject([
        { id, slug: "default", revision: 1 },
      ]);
      await scope.db.delete(project).where(eq(project.tenantId, scope.tenantId));
      expect((await listProjects(scope, FIRST_PAGE, NOON)).data).toMatchObject([{ id }]);
      await scope.db.delete(project).where(eq(project.tenantId, scope.tenantId));
      expect(await getProject(scope, "default", NOON)).toMatchObject({ id, name: "Default" });
      expect(await refusal(deleteProject(scope, "default", 1, NOON))).toBe("conflict");
      const moved = patchProject(scope, id, 1, { slug: "other" }, NOON);
      expect(await refusal(moved)).toBe("conflict");
    });

    it("F19: are made, changed at a revision, and deleted when they hold no agent", async () => {
      const { scope } = await newTenant(open());
      const { scope: other } = await newTenant(open());
      const wish = { slug: "crm", name: "CRM", description: "" };
      const made = await createProject(scope, wish, NOON);
      expect(await refusal(createProject(scope, wish, NOON))).toBe("already_exists");
      expect(await refusal(getProject(other, made.id, NOON))).toBe("not_found");
      const taken = patchProject(scope, made.id, 1, { slug: "default" }, NOON);
      expect(await refusal(taken)).toBe("already_exists");
      const changed = await patchProject(scope, "crm", 1, { slug: "sales" }, NOON + 1);
      expect(changed).toMatchObject({ id: made.id, slug: "sales", revision: 2 });
      const stale = patchProject(scope, made.id, 1, { name: "x" }, NOON);
      expect(await refusal(stale)).toBe("version_conflict");
      const bot = { slug: "bot", name: "Bot", description: "", project: "sales" };
      const agent = await createAgent(scope, bot, NOON);
      expect(agent.project_id).toBe(made.id);
      expect(await refusal(deleteProject(scope, made.id, 2, NOON))).toBe("conflict");
      await patchAgent(scope, agent.id, 1, { project: "default" }, NOON);
      await deleteProject(scope, made.id, 2, NOON);
      const nowhere = createAgent(scope, { ...bot, slug: "b2" }, NOON);
      expect(await refusal(nowhere)).toBe("invalid");
    });

    it("F19: of making an agent in one and deleting it, one wins", async () => {
      const { scope } = await newTenant(open());
      for (const slug of ["a", "b", "c"]) {
        const { id } = await createProject(scope, { slug, name: slug, description: "" }, NOON);
        const bot = { slug, name: slug, description: "", project: id };
        const { won } = await race([
          deleteProject(scope, id, 1, NOON),
          createAgent(scope, bot, NOON),
        ]);
        expect([slug, won]).toEqual([slug, 1]);
      }
    });

    it("F19: agents are listed by project and tag, and know who made them", async () => {
      const { scope } = await newTenant(open());
      const { id } = await createProject(scope, { slug: "crm", name: "C", description: "" }, NOON);
      const make = (slug: string, part: object, atMs: number) =>
        createAgent(scope, { slug, name: slug, description: "", ...part }, atMs);
      await make("plain", {}, NOON);
      await make("sales", { project: "crm", tags: ["eu", "pii"] }, NOON + 1);
      await make("mail", { tags: ["eu-west"] }, NOON + 2);
      const slugs = async (query: object) =>
        (await listAgents(scope, { ...FIRST_PAGE, ...query })).data.map(({ slug }) => slug);
      expect(await slugs({ project: "crm" })).toEqual(["sales"]);
      expect(await slugs({ project: id })).toEqual(["sales"]);
      expect(await slugs({ project: "default" })).toEqual(["plain", "mail"]);
      expect(await slugs({ project: "nothing" })).toEqual([]);
      expect(await slugs({ tag: "eu" })).toEqual(["sales"]);
      expect(await slugs({ tag: "e" })).toEqual([]);
      const found = await getAgent(scope, "sales");
      expect(found).toMatchObject({ project_id: id, tags: ["eu", "pii"], owner_id: null });
      const bare = await patchAgent(scope, found.id, 1, { tags: [] }, NOON);
      expect([bare.tags, await slugs({ tag: "eu" })]).toEqual([[], []]);
    });
  });
}
