import { useState } from "react";
import type { Role } from "../../../../core/access/contract.ts";
import type { Invitation } from "../../../../core/invitations/contract.ts";
import type { Member } from "../../../../core/members/contract.ts";
import { ask } from "../api.ts";
import { Choice, Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import { usePages, type Paged } from "../load.ts";
import { ProblemNote, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "./listing.tsx";

/** Who belongs to the tenant, and who was asked to. */
export function MembersPage({ can }: PageProps) {
  const roles = usePages<Role>("/v1/roles?limit=100");
  const names = (roles.data ?? []).map((role) => [role.slug, role.name] as const);
  const mayWrite = can("members:write");
  return (
    <>
      <Listing<Member>
        title="Members"
        path="/v1/members?limit=100"
        empty="Nobody yet."
        renderRow={(member, list) => (
          <MemberRow member={member} list={list} roles={names} mayWrite={mayWrite} />
        )}
      />
      <Invitations roles={names} mayWrite={mayWrite} />
    </>
  );
}

type RoleNames = readonly (readonly [slug: string, name: string])[];

function MemberRow(props: {
  readonly member: Member;
  readonly list: Paged<Member>;
  readonly roles: RoleNames;
  readonly mayWrite: boolean;
}) {
  const { member, list, roles, mayWrite } = props;
  const doing = useDoing();
  const [removing, setRemoving] = useState(false);
  const path = `/v1/members/${member.id}`;
  const { revision } = member;
  const assign = (role: string) =>
    doing.run(async () => {
      await ask(path, { method: "PATCH", json: { role }, revision });
      list.reload();
    });
  return (
    <Row
      name={member.name}
      slug={member.email}
      state={member.verified ? "verified" : "unverified"}
      about={mayWrite ? null : member.role}
    >
      {mayWrite ? (
        <>
          <label className="inline">
            Role
            <select
              aria-label={`Role of ${member.name}`}
              value={member.role}
              disabled={doing.busy}
              onChange={(e) => assign(e.target.value)}
            >
              {named(roles, member.role).map(([slug, name]) => (
                <option key={slug} value={slug}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <button type="button" className="quiet" onClick={() => setRemoving(true)}>
            Remove
          </button>
        </>
      ) : null}
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {removing ? (
        <Confirm
          title={`Remove ${member.name}?`}
          action="Remove"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision });
            list.reload();
          }}
        >
          <p>Sessions, tokens and personal keys end within five seconds.</p>
        </Confirm>
      ) : null}
    </Row>
  );
}

/** The role somebody has stands in the list even when it could not be read. */
function named(roles: RoleNames, role: string): RoleNames {
  return roles.some(([slug]) => slug === role) ? roles : [[role, role], ...roles];
}

function Invitations(props: { readonly roles: RoleNames; readonly mayWrite: boolean }) {
  const { roles, mayWrite } = props;
  return (
    <Listing<Invitation>
      title="Invitations"
      second
      path="/v1/invitations?limit=100"
      empty="Nobody is invited."
      newOne={mayWrite ? "Invite" : undefined}
      renderForm={(done, list) => <Invite roles={roles} done={done} list={list} />}
      renderRow={(invitation, list) => (
        <Row
          name={invitation.email}
          slug={invitation.role}
          state={invitation.status}
          about={
            invitation.status === "open" ? (
              <>
                until <When at={invitation.expires_at} />
              </>
            ) : null
          }
        >
          {mayWrite && invitation.status === "open" ? (
            <OpenInvitation id={invitation.id} list={list} />
          ) : null}
        </Row>
      )}
    />
  );
}

function OpenInvitation(props: { readonly id: string; readonly list: Paged<Invitation> }) {
  const doing = useDoing();
  const act = (verb: string) =>
    doing.run(async () => {
      await ask(`/v1/invitations/${props.id}/${verb}`, { method: "POST" });
      props.list.reload();
    });
  return (
    <>
      <button type="button" onClick={() => act("resend")}>
        Send again
      </button>
      <button type="button" className="quiet" onClick={() => act("revoke")}>
        Take back
      </button>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
    </>
  );
}

function Invite(props: {
  readonly roles: RoleNames;
  readonly done: () => void;
  readonly list: Paged<Invitation>;
}) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Send the invitation"
      onCancel={props.done}
      onSubmit={async (form) => {
        const json = { email: textIn(form, "email"), role: form.get("role") };
        await ask("/v1/invitations", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>Invite somebody</h2>
      <Field label="E-mail" name="email" type="email" required focused doing={doing} />
      <Choice label="Role" name="role" options={props.roles} value="viewer" />
    </Form>
  );
}
