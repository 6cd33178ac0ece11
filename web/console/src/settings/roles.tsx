import { useState } from "react";
import type { Permission, Role, Statement } from "../../../../core/access/contract.ts";
import { ask } from "../api.ts";
import { Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import { useLoad, type Paged } from "../load.ts";
import { ProblemNote, Skeleton, Title } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Facts, Listing, Path, Row } from "./listing.tsx";

/** Built-in roles and the tenant's own. */
export function RolesPage(props: PageProps) {
  if (props.id !== undefined) return <OneRole {...props} id={props.id} />;
  return (
    <Listing<Role>
      title="Roles"
      path="/v1/roles?limit=100"
      empty="No roles."
      newOne={props.can("roles:write") ? "New role" : undefined}
      renderForm={(done, list) => <NewRole done={done} list={list} />}
      renderRow={(role) => (
        <Row
          name={role.name}
          slug={role.slug}
          to={`/console/settings/roles/${role.slug}`}
          state={role.built_in ? "built in" : "own"}
          about={role.description}
        />
      )}
    />
  );
}

function NewRole(props: { readonly done: () => void; readonly list: Paged<Role> }) {
  const doing = useDoing();
  const permissions = useLoad<{ readonly data: readonly Permission[] }>("/v1/admin/permissions");
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Make the role"
      onCancel={props.done}
      onSubmit={async (form) => {
        const json = {
          name: textIn(form, "name"),
          slug: textIn(form, "slug"),
          description: textIn(form, "description") ?? "",
          statements: [{ effect: "allow", scopes: form.getAll("scope") }],
        };
        await ask("/v1/roles", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New role</h2>
      <div className="pair">
        <Field label="Name" name="name" required focused doing={doing} />
        <Field label="Slug" name="slug" required pattern="[a-z][a-z0-9\-]*" doing={doing} />
      </div>
      <Field label="Description" name="description" doing={doing} />
      <fieldset className="scopes">
        <legend>May</legend>
        {(permissions.data?.data ?? []).map(({ scope, description }) => (
          <label key={scope} title={description}>
            <input type="checkbox" name="scope" value={scope} />
            {scope}
          </label>
        ))}
      </fieldset>
      <p className="note">Conditions and denials are set by the API: PATCH /v1/roles/{"{id}"}.</p>
    </Form>
  );
}

function OneRole({ id, can }: PageProps & { readonly id: string }) {
  const path = `/v1/roles/${encodeURIComponent(id)}`;
  const role = useLoad<Role>(path);
  const [removing, setRemoving] = useState(false);
  if (role.problem) return <ProblemNote problem={role.problem} onRetry={role.reload} />;
  if (role.data === undefined) return <Skeleton lines={5} />;
  const { data } = role;
  return (
    <>
      <Path to="/console/settings/roles">Roles</Path>
      <div className="page-head">
        <Title>{data.name}</Title>
        {!data.built_in && can("roles:write") ? (
          <button type="button" className="stop" onClick={() => setRemoving(true)}>
            Delete
          </button>
        ) : null}
      </div>
      <Facts
        facts={[
          ["Slug", data.slug],
          ["Description", data.description === "" ? "–" : data.description],
        ]}
      />
      <h2>Statements</h2>
      <ul className="rows">
        {data.statements.map((statement) => (
          <li key={JSON.stringify(statement)}>
            <StatementRow statement={statement} />
          </li>
        ))}
      </ul>
      {removing ? (
        <Confirm
          title={`Delete ${data.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: data.revision });
            navigate("/console/settings/roles");
          }}
        >
          <p>Nobody may do anything by it from then on.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function StatementRow({ statement }: { readonly statement: Statement }) {
  const { effect, scopes, when } = statement;
  return (
    <Row
      name={effect}
      about={
        <>
          <code>{scopes.join(" ")}</code>
          {when === undefined ? null : <pre>{JSON.stringify(when, null, 2)}</pre>}
        </>
      }
    />
  );
}
