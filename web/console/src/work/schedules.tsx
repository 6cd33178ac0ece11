import { useState } from "react";
import type { Agent } from "../../../../core/agents/contract.ts";
import type { Firing } from "../../../../core/firings/contract.ts";
import type { Page } from "../../../../core/page.ts";
import type { Schedule } from "../../../../core/schedules/contract.ts";
import { ask, askJson, newIdempotencyKey } from "../api.ts";
import { Choice, Confirm, Field, Form, TextArea, textIn, useDoing } from "../form.tsx";
import { fullTimeText } from "../format.ts";
import { useLoad, usePages, type Loaded, type Paged } from "../load.ts";
import { Link, ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Facts, Listing, Path, Row } from "../settings/listing.tsx";

const MISSED: readonly (readonly [string, string])[] = [
  ["one", "make up for the last"],
  ["skip", "leave them out"],
  ["all", "make up for each (at most 100)"],
];

const PREVIEW = [{ action: "preview", label: "Preview" }];

/** Time rules that ask an agent. */
export function SchedulesPage(props: PageProps) {
  const { id, can } = props;
  const agents = useLoad<Page<Agent>>("/v1/agents?limit=100");
  const nameOf = (agentId: string) =>
    agents.data?.data.find((agent) => agent.id === agentId)?.slug ?? agentId;
  if (id !== undefined) return <OneSchedule id={id} can={can} nameOf={nameOf} />;
  return (
    <Listing<Schedule>
      title="Schedules"
      path="/v1/schedules"
      empty="Nothing is planned. A schedule asks an agent at the times of a cron expression."
      newOne={can("schedules:write") ? "New schedule" : undefined}
      renderForm={(done, list) => (
        <NewSchedule done={done} list={list} agents={agents.data?.data ?? []} />
      )}
      renderRow={(it) => (
        <Row
          name={it.name}
          slug={nameOf(it.agent_id)}
          to={`/console/work/schedules/${it.id}`}
          state={it.paused ? "paused" : "active"}
          about={
            it.next_run_at === null ? (
              `${it.cron} ${it.zone}`
            ) : (
              <>
                {it.cron} {it.zone}, next <When at={it.next_run_at} />
              </>
            )
          }
        />
      )}
    />
  );
}

function NewSchedule(props: {
  readonly done: () => void;
  readonly list: Paged<Schedule>;
  readonly agents: readonly Agent[];
}) {
  const doing = useDoing();
  const [next, setNext] = useState<readonly string[]>();
  const look = async (form: FormData): Promise<void> => {
    const cron = textIn(form, "cron") ?? "";
    const zone = textIn(form, "zone") ?? "UTC";
    const query = new URLSearchParams({ cron, zone });
    const { data } = await askJson<{ readonly data: readonly string[] }>(
      `/v1/schedules/preview?${query}`,
    );
    setNext(data);
  };
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Make the schedule"
      onCancel={props.done}
      onSubmit={async (form) => {
        if (form.get("action") === "preview") return look(form);
        const json = {
          name: textIn(form, "name"),
          agent: textIn(form, "agent"),
          environment: textIn(form, "environment"),
          cron: textIn(form, "cron"),
          zone: textIn(form, "zone"),
          input: textIn(form, "input"),
          missed: textIn(form, "missed"),
        };
        await ask("/v1/schedules", { method: "POST", json });
        props.done();
        return props.list.reload();
      }}
      others={PREVIEW}
    >
      <h2>New schedule</h2>
      <Field label="Name" name="name" required focused doing={doing} />
      <div className="pair">
        <Choice
          label="Agent"
          name="agent"
          options={props.agents.map(({ slug, name }) => [slug, name])}
        />
        <Field label="Environment" name="environment" defaultValue="prod" doing={doing} />
      </div>
      <div className="pair">
        <Field
          label="Cron"
          name="cron"
          required
          placeholder="0 9 * * 1-5"
          hint="Minute, hour, day, month, weekday."
          doing={doing}
        />
        <Field
          label="Time zone"
          name="zone"
          required
          defaultValue={new Intl.DateTimeFormat().resolvedOptions().timeZone}
          doing={doing}
        />
      </div>
      <TextArea label="What it is asked" name="input" rows={3} required doing={doing} />
      <Choice label="Runs that were missed" name="missed" options={MISSED} />
      {next === undefined ? null : <Times times={next} />}
    </Form>
  );
}

function Times({ times }: { readonly times: readonly string[] }) {
  return (
    <div aria-live="polite">
      <p className="note">{times.length === 0 ? "It never comes true." : "Next, in your time:"}</p>
      <ul className="times">
        {times.map((at) => (
          <li key={at}>{fullTimeText(at)}</li>
        ))}
      </ul>
    </div>
  );
}

function OneSchedule(props: {
  readonly id: string;
  readonly can: PageProps["can"];
  readonly nameOf: (agentId: string) => string;
}) {
  const path = `/v1/schedules/${encodeURIComponent(props.id)}`;
  const schedule = useLoad<Schedule>(path);
  const { data } = schedule;
  return (
    <>
      <Path to="/console/work/schedules">Schedules</Path>
      {schedule.problem ? (
        <ProblemNote problem={schedule.problem} onRetry={schedule.reload} />
      ) : null}
      {data === undefined && schedule.loading ? <Skeleton lines={6} /> : null}
      {data ? (
        <>
          <Head of={data} path={path} schedule={schedule} can={props.can} />
          <Facts
            facts={[
              ["Agent", `${props.nameOf(data.agent_id)}, ${data.environment}`],
              ["Cron", <code key="cron">{data.cron}</code>],
              ["Time zone", data.zone],
              ["Next", data.next_run_at === null ? "–" : <When key="next" at={data.next_run_at} />],
              ["Missed runs", MISSED.find(([name]) => name === data.missed)?.[1] ?? data.missed],
            ]}
          />
          <h2>What it is asked</h2>
          <pre>
            {typeof data.input === "string" ? data.input : JSON.stringify(data.input, null, 2)}
          </pre>
          <Runs path={path} />
        </>
      ) : null}
    </>
  );
}

function Head(props: {
  readonly of: Schedule;
  readonly path: string;
  readonly schedule: Loaded<Schedule>;
  readonly can: PageProps["can"];
}) {
  const { of, path, schedule } = props;
  const doing = useDoing();
  const [removing, setRemoving] = useState(false);
  // One key for as long as the page stands: pressing again after a lost answer starts one run.
  const [key, setKey] = useState(newIdempotencyKey);
  const start = async (): Promise<void> => {
    const headers = { "idempotency-key": key };
    const started = await askJson<{ readonly invocation_id: string }>(`${path}/run`, {
      method: "POST",
      json: {},
      headers,
    });
    setKey(newIdempotencyKey);
    navigate(`/console/invocations/${started.invocation_id}`);
  };
  const pause = async (): Promise<void> => {
    await ask(path, { method: "PATCH", json: { paused: !of.paused }, revision: of.revision });
    schedule.reload();
  };
  return (
    <>
      <div className="page-head">
        <Title>{of.name}</Title>
        {props.can("schedules:write") ? (
          <div className="actions">
            <button type="button" aria-disabled={doing.busy} onClick={() => doing.run(start)}>
              Run now
            </button>
            <button type="button" aria-disabled={doing.busy} onClick={() => doing.run(pause)}>
              {of.paused ? "Go on" : "Pause"}
            </button>
            <button type="button" className="stop" onClick={() => setRemoving(true)}>
              Delete
            </button>
          </div>
        ) : null}
      </div>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {removing ? (
        <Confirm
          title={`Delete ${of.name}?`}
          action="Delete"
          onClose={() => setRemoving(false)}
          onConfirm={async () => {
            await ask(path, { method: "DELETE", revision: of.revision });
            navigate("/console/work/schedules");
          }}
        >
          <p>It asks nothing any more. What it started stays.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function Runs({ path }: { readonly path: string }) {
  const runs = usePages<Firing>(`${path}/runs`);
  return (
    <>
      <h2>Runs</h2>
      {runs.problem ? <ProblemNote problem={runs.problem} onRetry={runs.reload} /> : null}
      {runs.data?.length === 0 ? <p className="note">None yet.</p> : null}
      {runs.data && runs.data.length > 0 ? (
        <ul className="rows">
          {runs.data.map((run) => (
            <li key={run.id}>
              <div className="who">
                <When at={run.at} />
                {run.invocation_id === null ? null : (
                  <Link to={`/console/invocations/${run.invocation_id}`}>Open the run</Link>
                )}
              </div>
              <span className={`state is-${run.outcome}`}>{run.outcome}</span>
              {run.code === null ? null : <div className="about">{run.code}</div>}
            </li>
          ))}
        </ul>
      ) : null}
      {runs.more ? (
        <button type="button" onClick={runs.more}>
          Older runs
        </button>
      ) : null}
    </>
  );
}
