/** What is a user's own: profile, personal keys; and that it is nobody else's. F23, F25. */
import { beforeAll, describe, expect, it } from "vitest";
import { newPerson, open, type Person, tokenOf, withCookie } from "../fixtures/people.ts";
import { newId } from "../../core/ids.ts";
import {
  type TestTenant,
  newCookie,
  newKey,
  newToken,
  newWorld,
  shapeOf,
} from "../fixtures/world.ts";

let acme: TestTenant;
let globex: TestTenant;
let ada: Person;
let eve: Person;
beforeAll(async () => {
  ({ acme, globex } = await newWorld());
  [ada, eve] = [await newPerson(acme, "admin"), await newPerson(acme, "viewer")];
});

type Issued = { readonly id: string; readonly secret: string; readonly owner_id: string };

const KEYS = "/v1/users/me/api-keys";
const makeKey = async (person: Person, scopes: readonly string[]): Promise<Issued> =>
  (await person.ask(KEYS, { json: { name: "mine", scopes } })).json();

describe("/v1/users/me", () => {
  it("F23: tells a user of itself, and lets it change its name at the revision it read", async () => {
    const mine = await ada.ask("/v1/users/me");
    const tag = mine.headers.get("etag") ?? "";
    expect(await mine.json()).toMatchObject({
      tenant: { slug: "acme" },
      principal: { kind: "user", id: ada.id },
      user: { id: ada.id, email: ada.email },
    });
    const put = (revision: string, json: object) =>
      ada.ask("/v1/users/me", { method: "PUT", json, headers: { "if-match": revision } });
    const changed = await put(tag, { name: "Ada L." });
    expect([changed.status, await changed.json()]).toMatchObject([
      200,
      { user: { name: "Ada L." } },
    ]);
    expect((await put(tag, { name: "Too late" })).status).toBe(412);
    expect((await put(changed.headers.get("etag") ?? "", { role: "admin" })).status).toBe(422);
    expect(await (await ada.ask("/v1/users/me")).json()).toMatchObject({
      user: { name: "Ada L." },
    });
  });

  it("F23: tells a key of itself as before, and of no user", async () => {
    expect(await acme.json("/v1/users/me", 200)).toMatchObject({
      principal: { kind: "key", id: acme.keyId },
      user: null,
    });
  });
});

describe("personal keys", () => {
  it("F25: are made, shown once, listed and revoked by their owner", async () => {
    const key = await makeKey(ada, ["agents:read"]);
    expect(key).toMatchObject({ owner_id: ada.id });
    expect((await acme.ask("/v1/agents", { as: key.secret })).status).toBe(200);
    const listed = await (await ada.ask(KEYS)).text();
    expect(listed).toContain(key.id);
    expect(listed).not.toContain(key.secret.slice(-40));
    expect(await (await eve.ask(KEYS)).json()).toMatchObject({ data: [] });
    const gone = await ada.ask(`${KEYS}/${key.id}`, { method: "DELETE" });
    expect(gone.status).toBe(204);
    expect((await acme.ask("/v1/agents", { as: key.secret })).status).toBe(401);
  });

  it("F25: hold no more than their owner does, when made and ever after", async () => {
    const refused = await eve.ask(KEYS, { json: { name: "big", scopes: ["agents:write"] } });
    expect(refused.status).toBe(403);
    const bo = await newPerson(acme, "developer");
    const key = await makeKey(bo, ["agents:read", "agents:write"]);
    const make = (slug: string) =>
      acme.ask("/v1/agents", { as: key.secret, json: { slug, name: slug } });
    expect((await make("by-bo")).status).toBe(201);
    const { data } = await acme.json<{ data: { id: string; user_id: string }[] }>(
      "/v1/members?limit=100",
      200,
    );
    const member = data.find(({ user_id }) => user_id === bo.id);
    await acme.json(`/v1/members/${member?.id}`, 200, {
      method: "PATCH",
      headers: { "if-match": '"1"' },
      json: { role: "viewer" },
    });
    expect((await make("by-bo-again")).status).toBe(403);
    expect((await acme.ask("/v1/agents", { as: key.secret })).status).toBe(200);
  });

  it("F25: another's is answered as one that is not there", async () => {
    const { id } = await makeKey(ada, ["agents:read"]);
    const remove = async (which: string) =>
      shapeOf(await eve.ask(`${KEYS}/${which}`, { method: "DELETE" }));
    const none = await remove(newId("key", 1_790_000_000_000));
    expect(none.status).toBe(404);
    expect(await remove(id)).toEqual(none);
    expect(await remove(acme.keyId)).toEqual(none);
    expect((await ada.ask(`${KEYS}/${id}`, { method: "DELETE" })).status).toBe(204);
  });
});

describe("F12: a user's own routes", () => {
  const OWN = [
    ["PUT", "/v1/users/me", { name: "Taken" }],
    ["PUT", "/v1/users/me/password", { current_password: "x", new_password: "zebra 12 staple" }],
    ["POST", KEYS, { name: "x", scopes: ["agents:read"] }],
    ["GET", KEYS, undefined],
    ["DELETE", `${KEYS}/key_00000000000000000000000000`, undefined],
    ["POST", "/auth/logout-all", undefined],
  ] as const;

  it.each(OWN)("%s %s is no key's, and of no other tenant", async (method, path, json) => {
    const headers = { "if-match": '"1"' };
    const body = json === undefined ? {} : { json };
    const ask = { method, headers, ...body };
    for (const as of [acme.key, await newKey(acme), await newToken(acme)]) {
      const refused = await acme.ask(path, { ...ask, as });
      expect([refused.status, await refused.json()]).toMatchObject([403, { code: "forbidden" }]);
    }
    const byKey = { ...headers, cookie: await newCookie(acme) };
    expect((await open(acme, path, { ...ask, headers: byKey })).status).toBe(403);
    expect((await open(acme, path, ask)).status).toBe(401);
    const theirs = await shapeOf(await withCookie(globex, ada.cookie, path, ask));
    const nobody = await shapeOf(await withCookie(globex, `berth=${"0".repeat(43)}`, path, ask));
    expect([theirs.status, theirs]).toEqual([401, nobody]);
    const token = await tokenOf(acme, ada);
    expect((await globex.ask(path, { ...ask, as: token })).status).toBe(401);
    expect((await ada.ask("/v1/users/me")).status).toBe(200);
  });
});
