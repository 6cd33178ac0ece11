import { useEffect, useState } from "react";
import type { Hostname } from "../../../../core/hostnames/contract.ts";
import { ask } from "../api.ts";
import { Confirm, Field, Form, textIn, useDoing } from "../form.tsx";
import type { Paged } from "../load.ts";
import { CopyButton, ProblemNote, sentence, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "./listing.tsx";

/** How often a name that is not settled yet is read again while somebody looks. */
const REFRESH_MS = 5000;

/** Names of the tenant's own: what to set in DNS, and how far it is. */
export function HostnamesPage({ can }: PageProps) {
  const mayWrite = can("hostnames:write");
  return (
    <Listing<Hostname>
      title="Hostnames"
      path="/v1/hostnames?limit=100"
      empty="This tenant is reached by its own address here alone."
      newOne={mayWrite ? "Add a hostname" : undefined}
      renderForm={(done, list) => <NewHostname done={done} list={list} />}
      renderRow={(hostname, list) => (
        <Row
          name={hostname.name}
          state={hostname.status}
          about={<Progress hostname={hostname} list={list} />}
        >
          {mayWrite ? <Change hostname={hostname} list={list} /> : null}
        </Row>
      )}
    />
  );
}

type Shown = { readonly hostname: Hostname; readonly list: Paged<Hostname> };

function Progress({ hostname, list }: Shown) {
  const { status, problem, records, checked_at: checked } = hostname;
  const settled = status === "active";
  const { reload } = list;
  useEffect(() => {
    if (settled) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [settled, reload]);
  return (
    <>
      {problem === null ? null : <p>{sentence(problem)}</p>}
      {checked === null ? null : (
        <p>
          Looked at <When at={checked} />.
        </p>
      )}
      <ul className="records">
        {records.map((record) => (
          <li key={record.type + record.name}>
            <span className="label">
              {record.type}, {record.purpose === "ownership" ? "shows it is yours" : "leads here"}
            </span>
            <p className="once">
              <code>{record.name}</code>
              <CopyButton text={record.name} label={`Copy the name of the ${record.type} record`} />
            </p>
            <p className="once">
              <code>{record.value}</code>
              <CopyButton
                text={record.value}
                label={`Copy the value of the ${record.type} record`}
              />
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

function Change({ hostname, list }: Shown) {
  const doing = useDoing();
  const [removing, setRemoving] = useState(false);
  const path = `/v1/hostnames/${hostname.id}`;
  const verify = () =>
    doing.run(async () => {
      await ask(`${path}/verify`, { method: "POST" });
      list.reload();
    });
  return (
    <>
      <button type="button" aria-disabled={doing.busy} onClick={verify}>
        {doing.busy ? "Looking…" : "Check now"}
      </button>
      <button type="button" className="quiet" onClick={() => setRemoving(true)}>
        Remove
      </button>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {removing ? (
        <Confirm
          title={`Remove ${hostname.name}?`}
          action="Remove"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: hostname.revision });
            list.reload();
          }}
        >
          <p>It leads here no more, and is anybody's to ask for.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function NewHostname(props: { readonly done: () => void; readonly list: Paged<Hostname> }) {
  const doing = useDoing();
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Add"
      onCancel={props.done}
      onSubmit={async (form) => {
        await ask("/v1/hostnames", { method: "POST", json: { name: textIn(form, "name") } });
        props.done();
        props.list.reload();
      }}
    >
      <h2>Add a hostname</h2>
      <Field
        label="Name"
        name="name"
        required
        focused
        doing={doing}
        placeholder="agents.example.com"
        autoComplete="off"
        spellCheck={false}
      />
    </Form>
  );
}
