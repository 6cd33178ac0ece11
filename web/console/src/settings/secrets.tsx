import { useState } from "react";
import type { Secret } from "../../../../core/secrets/contract.ts";
import { ask } from "../api.ts";
import { Confirm, Dialog, Field, Form, textIn, useDoing } from "../form.tsx";
import type { Paged } from "../load.ts";
import { When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "./listing.tsx";

/** Named values that go in and never come out. */
export function SecretsPage({ can }: PageProps) {
  const mayWrite = can("secrets:write");
  return (
    <Listing<Secret>
      title="Secrets"
      path="/v1/secrets?limit=100"
      note={
        <>
          A tool's header names one as <code>{'{"secret": "NAME"}'}</code>. The value is sealed at
          once and never shown.
        </>
      }
      empty="No secrets yet."
      newOne={mayWrite ? "New secret" : undefined}
      renderForm={(done, list) => <NewSecret done={done} list={list} />}
      renderRow={(secret, list) => (
        <Row
          name={secret.name}
          slug={`version ${secret.version}`}
          {...(secret.rotation_due ? { state: "rotation due" } : {})}
          about={
            <>
              {secret.description === "" ? null : <p>{secret.description}</p>}
              rotated <When at={secret.rotated_at} />
              {secret.last_used_at === null ? (
                ", not used yet"
              ) : (
                <>
                  , last used <When at={secret.last_used_at} />
                </>
              )}
            </>
          }
        >
          {mayWrite ? <Change secret={secret} list={list} /> : null}
        </Row>
      )}
    />
  );
}

function Change({ secret, list }: { readonly secret: Secret; readonly list: Paged<Secret> }) {
  const [asked, setAsked] = useState<"rotate" | "delete">();
  const doing = useDoing();
  const path = `/v1/secrets/${secret.id}`;
  const close = () => setAsked(undefined);
  return (
    <>
      <button type="button" onClick={() => setAsked("rotate")}>
        Rotate
      </button>
      <button type="button" className="quiet" onClick={() => setAsked("delete")}>
        Delete
      </button>
      {asked === "rotate" ? (
        <Dialog title={`Rotate ${secret.name}`} onClose={close}>
          <Form
            doing={doing}
            submit="Rotate"
            onCancel={close}
            onSubmit={async (form) => {
              await ask(`${path}/rotate`, { method: "POST", json: { value: form.get("value") } });
              close();
              list.reload();
            }}
          >
            <Value doing={doing} />
          </Form>
        </Dialog>
      ) : null}
      {asked === "delete" ? (
        <Confirm
          title={`Delete ${secret.name}?`}
          action="Delete"
          onClose={close}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: secret.revision });
            list.reload();
          }}
        >
          <p>What still names it fails at its next call.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function Value({ doing }: { readonly doing: ReturnType<typeof useDoing> }) {
  return (
    <Field
      label="Value"
      name="value"
      type="password"
      autoComplete="off"
      minLength={8}
      required
      doing={doing}
      hint="At least 8 characters."
    />
  );
}

function NewSecret(props: { readonly done: () => void; readonly list: Paged<Secret> }) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Seal it"
      onCancel={props.done}
      onSubmit={async (form) => {
        const json = {
          name: textIn(form, "name"),
          value: form.get("value"),
          description: textIn(form, "description") ?? "",
        };
        await ask("/v1/secrets", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New secret</h2>
      <Field
        label="Name"
        name="name"
        required
        focused
        doing={doing}
        placeholder="CRM_TOKEN"
        autoComplete="off"
      />
      <Value doing={doing} />
      <Field label="Description" name="description" doing={doing} />
    </Form>
  );
}
