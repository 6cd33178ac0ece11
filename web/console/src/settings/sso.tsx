import { useState } from "react";
import type { Role } from "../../../../core/access/contract.ts";
import type { RegisteredSso } from "../../../../core/sso/contract.ts";
import type { z } from "zod";
import { ask } from "../api.ts";
import { Choice, Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import { usePages, type Paged } from "../load.ts";
import { CopyButton } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "./listing.tsx";

type Connection = z.infer<typeof RegisteredSso>;

/** Sign-in through the organisation's own provider. */
export function SsoPage({ can }: PageProps) {
  const mayWrite = can("issuers:write");
  return (
    <Listing<Connection>
      title="Single sign-on"
      path="/v1/sso?limit=100"
      empty="People sign in by e-mail and password."
      newOne={mayWrite ? "New connection" : undefined}
      renderForm={(done, list) => <NewConnection done={done} list={list} />}
      renderRow={(connection, list) => (
        <Row
          name={connection.name}
          slug={connection.slug}
          state={connection.enabled ? "active" : "disabled"}
          about={
            <>
              <span>{connection.issuer}</span>
              <p className="once">
                <code>{connection.redirect_uri}</code>
                <CopyButton text={connection.redirect_uri} label="Copy the redirect address" />
              </p>
            </>
          }
        >
          {mayWrite ? <Change connection={connection} list={list} /> : null}
        </Row>
      )}
    />
  );
}

function Change(props: { readonly connection: Connection; readonly list: Paged<Connection> }) {
  const { connection, list } = props;
  const [removing, setRemoving] = useState(false);
  const doing = useDoing();
  const path = `/v1/sso/${connection.id}`;
  const { revision, enabled } = connection;
  return (
    <>
      <button
        type="button"
        onClick={() =>
          doing.run(async () => {
            await ask(path, { method: "PATCH", json: { enabled: !enabled }, revision });
            list.reload();
          })
        }
      >
        {enabled ? "Disable" : "Enable"}
      </button>
      <button type="button" className="quiet" onClick={() => setRemoving(true)}>
        Delete
      </button>
      {removing ? (
        <Confirm
          title={`Delete ${connection.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision });
            list.reload();
          }}
        >
          <p>Nobody can sign in through it any more.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function NewConnection(props: { readonly done: () => void; readonly list: Paged<Connection> }) {
  const doing = useDoing();
  const roles = usePages<Role>("/v1/roles?limit=100");
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Connect"
      onCancel={props.done}
      onSubmit={async (form) => {
        const secret = textIn(form, "client_secret");
        const role = textIn(form, "default_role");
        const json = {
          name: textIn(form, "name"),
          slug: textIn(form, "slug"),
          issuer: textIn(form, "issuer"),
          client_id: textIn(form, "client_id"),
          create_members: form.get("create_members") === "on",
          ...(secret ? { client_secret: secret } : { auth_method: "none" }),
          ...(role ? { default_role: role } : {}),
        };
        await ask("/v1/sso", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New connection</h2>
      <div className="pair">
        <Field label="Name" name="name" required focused doing={doing} />
        <Field label="Slug" name="slug" required doing={doing} />
      </div>
      <Field
        label="Issuer"
        name="issuer"
        type="url"
        required
        doing={doing}
        placeholder="https://login.example.com"
      />
      <div className="pair">
        <Field label="Client id" name="client_id" required autoComplete="off" doing={doing} />
        <Field
          label="Client secret"
          name="client_secret"
          type="password"
          autoComplete="off"
          doing={doing}
        />
      </div>
      <label className="check">
        <input type="checkbox" name="create_members" /> Whoever the provider lets in becomes a
        member
      </label>
      <Choice
        label="Role of those"
        name="default_role"
        options={[
          ["", "none: by rules only"],
          ...(roles.data ?? []).map((role) => [role.slug, role.name] as const),
        ]}
      />
    </Form>
  );
}
