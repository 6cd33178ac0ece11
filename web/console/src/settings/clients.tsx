import { useState } from "react";
import type { Client, ClientSecrets, IssuedClient } from "../../../../core/clients/contract.ts";
import { ask, askJson, newIdempotencyKey } from "../api.ts";
import { Confirm, Field, Form, SecretOnce, textIn, useDoing } from "../form.tsx";
import { useLoad, type Paged } from "../load.ts";
import { ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Facts, Listing, Path, Row } from "./listing.tsx";

/** Machines that get tokens for a secret. */
export function ClientsPage(props: PageProps) {
  const [made, setMade] = useState<IssuedClient>();
  if (props.id !== undefined) return <OneClient {...props} id={props.id} />;
  return (
    <>
      <Listing<Client>
        title="App clients"
        path="/v1/clients?limit=100"
        empty="No machine signs in by itself yet."
        newOne={props.can("clients:write") ? "New client" : undefined}
        renderForm={(done, list) => (
          <NewClient scopes={props.me.principal.scopes} done={done} list={list} onMade={setMade} />
        )}
        renderRow={(client) => (
          <Row
            name={client.name}
            slug={client.id}
            to={`/console/settings/clients/${client.id}`}
            state={client.enabled ? "active" : "disabled"}
          />
        )}
      />
      {made?.secret ? (
        <SecretOnce
          title={made.name}
          secret={made.secret}
          note={`client_id ${made.id}, at POST /auth/token`}
          onClose={() => setMade(undefined)}
        />
      ) : null}
    </>
  );
}

function NewClient(props: {
  readonly scopes: readonly string[];
  readonly done: () => void;
  readonly list: Paged<Client>;
  readonly onMade: (client: IssuedClient) => void;
}) {
  const doing = useDoing();
  const [idempotencyKey] = useState(newIdempotencyKey);
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Make the client"
      onCancel={props.done}
      onSubmit={async (form) => {
        const headers = { "idempotency-key": idempotencyKey };
        const json = { name: textIn(form, "name"), scopes: form.getAll("scope") };
        const made = await askJson<IssuedClient>("/v1/clients", { method: "POST", json, headers });
        props.done();
        props.list.reload();
        props.onMade(made);
      }}
    >
      <h2>New client</h2>
      <Field label="Name" name="name" required focused doing={doing} />
      <fieldset className="scopes">
        <legend>Scopes</legend>
        {props.scopes.map((scope) => (
          <label key={scope}>
            <input type="checkbox" name="scope" value={scope} />
            {scope}
          </label>
        ))}
      </fieldset>
    </Form>
  );
}

function OneClient({ id, can }: PageProps & { readonly id: string }) {
  const path = `/v1/clients/${encodeURIComponent(id)}`;
  const client = useLoad<Client>(path);
  const secrets = useLoad<ClientSecrets>(`${path}/secrets`);
  const [asked, setAsked] = useState<"rotate" | "delete">();
  const [secret, setSecret] = useState<string>();
  if (client.problem) return <ProblemNote problem={client.problem} onRetry={client.reload} />;
  if (client.data === undefined) return <Skeleton lines={5} />;
  const { data } = client;
  return (
    <>
      <Path to="/console/settings/clients">App clients</Path>
      <div className="page-head">
        <Title>{data.name}</Title>
        {can("clients:write") ? (
          <div className="actions">
            <button type="button" onClick={() => setAsked("rotate")}>
              Rotate the secret
            </button>
            <button type="button" className="stop" onClick={() => setAsked("delete")}>
              Delete
            </button>
          </div>
        ) : null}
      </div>
      <Facts
        facts={[
          ["client_id", data.id],
          ["Enabled", data.enabled ? "yes" : "no"],
          ["Scopes", data.scopes.join(" ") || "by roles only"],
          ["Tokens last", `${data.token_lifetime_seconds} s`],
        ]}
      />
      <h2>Secrets</h2>
      <ul className="rows">
        {(secrets.data?.data ?? []).map((one) => (
          <li key={one.id}>
            <Row
              name={`${one.start}…`}
              state={one.status}
              about={
                <>
                  made <When at={one.created_at} />
                </>
              }
            />
          </li>
        ))}
      </ul>
      {asked === "rotate" ? (
        <Confirm
          title="Rotate the secret?"
          action="Rotate"
          onClose={() => setAsked(undefined)}
          onConfirm={async () => {
            const issued = await askJson<{ secret: string | null }>(`${path}/rotate`, {
              method: "POST",
              json: { grace_seconds: 86_400 },
            });
            setSecret(issued.secret ?? undefined);
            secrets.reload();
          }}
        >
          <p>The one before goes on for a day.</p>
        </Confirm>
      ) : null}
      {asked === "delete" ? (
        <Confirm
          title={`Delete ${data.name}?`}
          action="Delete"
          onClose={() => setAsked(undefined)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: data.revision });
            navigate("/console/settings/clients");
          }}
        >
          <p>Its tokens end within five seconds.</p>
        </Confirm>
      ) : null}
      {secret === undefined ? null : (
        <SecretOnce title={data.name} secret={secret} onClose={() => setSecret(undefined)} />
      )}
    </>
  );
}
