import { useState } from "react";
import type { Agent } from "../../../../core/agents/contract.ts";
import type { Page } from "../../../../core/page.ts";
import type { Trigger } from "../../../../core/triggers/contract.ts";
import { ask } from "../api.ts";
import { Choice, Confirm, Field, Form, TextArea, textIn, useDoing } from "../form.tsx";
import { useLoad, type Paged } from "../load.ts";
import { ProblemNote } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Listing, Row } from "../settings/listing.tsx";

const ENDS = ["succeeded", "failed", "dead", "cancelled"] as const;

/** When a run of one agent ends, another one is asked. */
export function TriggersPage({ can }: PageProps) {
  const agents = useLoad<Page<Agent>>("/v1/agents?limit=100");
  const known = agents.data?.data ?? [];
  const slugOf = (id: string) => known.find((agent) => agent.id === id)?.slug ?? id;
  const writes = can("schedules:write");
  return (
    <Listing<Trigger>
      title="Triggers"
      path="/v1/triggers"
      empty="None. A trigger asks one agent when a run of another ends."
      newOne={writes ? "New trigger" : undefined}
      renderForm={(done, list) => <NewTrigger done={done} list={list} agents={known} />}
      renderRow={(it, list) => (
        <Row
          name={it.name}
          slug={`${slugOf(it.agent_id)} → ${slugOf(it.target_id)}`}
          state={it.paused ? "paused" : "active"}
          about={`When a run has ${it.statuses.join(" or ")}.`}
        >
          {writes ? <Hands of={it} list={list} /> : null}
        </Row>
      )}
    />
  );
}

function Hands({ of, list }: { readonly of: Trigger; readonly list: Paged<Trigger> }) {
  const doing = useDoing();
  const [removing, setRemoving] = useState(false);
  const path = `/v1/triggers/${of.id}`;
  const pause = async (): Promise<void> => {
    await ask(path, { method: "PATCH", json: { paused: !of.paused }, revision: of.revision });
    list.reload();
  };
  return (
    <>
      <button
        type="button"
        aria-label={`${of.paused ? "Let go on" : "Pause"} ${of.name}`}
        aria-disabled={doing.busy}
        onClick={() => doing.run(pause)}
      >
        {of.paused ? "Go on" : "Pause"}
      </button>
      <button type="button" aria-label={`Delete ${of.name}`} onClick={() => setRemoving(true)}>
        Delete
      </button>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {removing ? (
        <Confirm
          title={`Delete ${of.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: of.revision });
            list.reload();
          }}
        >
          <p>It starts nothing any more. What it started stays.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function NewTrigger(props: {
  readonly done: () => void;
  readonly list: Paged<Trigger>;
  readonly agents: readonly Agent[];
}) {
  const doing = useDoing();
  const options = props.agents.map(({ slug, name }) => [slug, name] as const);
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Make the trigger"
      onCancel={props.done}
      onSubmit={async (form) => {
        const json = {
          name: textIn(form, "name"),
          agent: textIn(form, "agent"),
          statuses: form.getAll("status"),
          target: textIn(form, "target"),
          input: textIn(form, "input"),
        };
        await ask("/v1/triggers", { method: "POST", json });
        props.done();
        props.list.reload();
      }}
    >
      <h2>New trigger</h2>
      <Field label="Name" name="name" required focused doing={doing} />
      <div className="pair">
        <Choice label="When a run of" name="agent" options={options} />
        <Choice label="Ask" name="target" options={options} />
      </div>
      <fieldset className="scopes">
        <legend>Has</legend>
        {ENDS.map((end) => (
          <label key={end}>
            <input type="checkbox" name="status" value={end} defaultChecked={end === "succeeded"} />
            {end}
          </label>
        ))}
      </fieldset>
      <TextArea
        label="What it is asked"
        name="input"
        rows={3}
        defaultValue="{{output}}"
        hint="{{output}} and {{input}} stand for what the run said and was asked."
        doing={doing}
      />
    </Form>
  );
}
