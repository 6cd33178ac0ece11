import { useEffect, useState } from "react";
import type {
  DeadLetter,
  DeadLetterCause,
  DeadLetterDetail,
  Redrive,
} from "../../../../core/dead-letters/contract.ts";
import { ask, askJson, newIdempotencyKey } from "../api.ts";
import { Dialog, Field, Form, TextArea, textIn, useDoing } from "../form.tsx";
import { costText, countText } from "../format.ts";
import { useLoad, usePages, type Loaded } from "../load.ts";
import { Link, ProblemNote, sentence, Skeleton, Title, When } from "../parts.tsx";
import type { PageProps } from "../section.tsx";
import { Facts, Path, Row } from "../settings/listing.tsx";
import { askedIn } from "../turn.ts";
import { Meter } from "./meter.tsx";

/** How often a re-drive under way is read again. */
const REFRESH_MS = 2000;

type Causes = Loaded<{ readonly data: readonly DeadLetterCause[] }>;

/** What ended without an answer, by why; and how it goes on. */
export function DeadLettersPage(props: PageProps) {
  if (props.id !== undefined) return <OneLetter {...props} id={props.id} />;
  return <Letters {...props} />;
}

function Letters({ can }: PageProps) {
  const causes: Causes = useLoad("/v1/dead-letters/causes");
  const redrives = usePages<Redrive>("/v1/dead-letters/redrives?limit=5");
  const running = redrives.data?.some(({ status }) => status === "running") ?? false;
  const { reload: reloadRedrives } = redrives;
  const { reload: reloadCauses } = causes;
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => {
      reloadRedrives();
      reloadCauses();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [running, reloadRedrives, reloadCauses]);
  return (
    <>
      <Title>Dead letters</Title>
      {causes.problem ? <ProblemNote problem={causes.problem} onRetry={causes.reload} /> : null}
      {causes.data === undefined && causes.loading ? <Skeleton lines={4} /> : null}
      {causes.data?.data.length === 0 ? (
        <div className="empty">
          <p>
            <strong>Nothing is left lying.</strong>
          </p>
          <p>What ends without an answer after its last attempt is kept here.</p>
        </div>
      ) : null}
      <ul className="rows">
        {causes.data?.data.map((cause) => (
          <li key={`${cause.agent_id} ${cause.environment} ${cause.cause} ${cause.status}`}>
            <CauseRow
              cause={cause}
              writes={can("invocations:write")}
              onRedriven={() => {
                causes.reload();
                redrives.reload();
              }}
            />
          </li>
        ))}
      </ul>
      {redrives.data && redrives.data.length > 0 ? (
        <>
          <h2>Re-drives</h2>
          <ul className="rows">
            {redrives.data.map((it) => (
              <li key={it.id}>
                <RedriveRow of={it} writes={can("invocations:write")} onChanged={redrives.reload} />
              </li>
            ))}
          </ul>
        </>
      ) : null}
      <Latest />
    </>
  );
}

function CauseRow(props: {
  readonly cause: DeadLetterCause;
  readonly writes: boolean;
  readonly onRedriven: () => void;
}) {
  const { cause } = props;
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Row
        name={`${countText(cause.count)} × ${cause.cause}`}
        slug={`${cause.agent} · ${cause.environment}`}
        state={cause.status}
        about={
          <>
            The last <When at={cause.last_ended_at} />
          </>
        }
      >
        {props.writes ? (
          <button
            type="button"
            aria-label={`Re-drive all of ${cause.agent} with ${cause.cause}`}
            onClick={() => setAsking(true)}
          >
            Re-drive all
          </button>
        ) : null}
      </Row>
      {asking ? (
        <RedriveAll cause={cause} onClose={() => setAsking(false)} onRedriven={props.onRedriven} />
      ) : null}
    </>
  );
}

function RedriveAll(props: {
  readonly cause: DeadLetterCause;
  readonly onClose: () => void;
  readonly onRedriven: () => void;
}) {
  const { cause, onClose } = props;
  const doing = useDoing();
  const [key] = useState(newIdempotencyKey);
  return (
    <Dialog title={`Re-drive ${countText(cause.count)}?`} onClose={onClose}>
      <Form
        doing={doing}
        submit="Re-drive"
        onCancel={onClose}
        onSubmit={async (form) => {
          const json = {
            agent: cause.agent_id,
            environment: cause.environment,
            cause: cause.cause,
            status: cause.status,
            per_minute: Number(textIn(form, "per_minute") ?? "60"),
          };
          const headers = { "idempotency-key": key };
          await ask("/v1/dead-letters/redrive", { method: "POST", json, headers });
          props.onRedriven();
          onClose();
        }}
      >
        <p>Each goes on at the step it broke at, under the version that is live now.</p>
        <Field
          label="A minute, at most"
          name="per_minute"
          type="number"
          min="1"
          max="600"
          defaultValue="60"
          doing={doing}
        />
      </Form>
    </Dialog>
  );
}

function RedriveRow(props: {
  readonly of: Redrive;
  readonly writes: boolean;
  readonly onChanged: () => void;
}) {
  const { of } = props;
  const doing = useDoing();
  const cancel = async (): Promise<void> => {
    await ask(`/v1/dead-letters/redrives/${of.id}/cancel`, { method: "POST", json: {} });
    props.onChanged();
  };
  return (
    <Row
      name={of.cause ?? "all causes"}
      state={of.status}
      about={
        <>
          <Meter label="Handed on" used={of.redriven + of.refused} of={of.total}>
            {`${countText(of.redriven)} of ${countText(of.total)} handed on${of.refused === 0 ? "" : `, ${countText(of.refused)} refused`}`}
          </Meter>
          {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
        </>
      }
    >
      {props.writes && of.status === "running" ? (
        <button type="button" aria-disabled={doing.busy} onClick={() => doing.run(cancel)}>
          Stop
        </button>
      ) : null}
    </Row>
  );
}

function Latest() {
  const letters = usePages<DeadLetter>("/v1/dead-letters");
  if (letters.data === undefined || letters.data.length === 0) return null;
  return (
    <>
      <h2>One by one</h2>
      <ul className="rows">
        {letters.data.map((letter) => (
          <li key={letter.id}>
            <Row
              name={letter.cause}
              slug={`${letter.agent} · ${letter.environment}`}
              to={`/console/work/dead-letters/${letter.id}`}
              state={letter.state}
              about={
                <>
                  <When at={letter.ended_at} /> – {sentence(letter.detail)}
                </>
              }
            />
          </li>
        ))}
      </ul>
      {letters.more ? (
        <button type="button" onClick={letters.more}>
          Older ones
        </button>
      ) : null}
    </>
  );
}

function OneLetter({ id, can }: PageProps & { readonly id: string }) {
  const path = `/v1/dead-letters/${encodeURIComponent(id)}`;
  const letter = useLoad<DeadLetterDetail>(path);
  const { data } = letter;
  return (
    <>
      <Path to="/console/work/dead-letters">Dead letters</Path>
      {letter.problem ? <ProblemNote problem={letter.problem} onRetry={letter.reload} /> : null}
      {data === undefined && letter.loading ? <Skeleton lines={6} /> : null}
      {data ? (
        <>
          <Title>{data.cause}</Title>
          <p>{sentence(data.detail)}</p>
          <Facts
            facts={[
              ["State", data.state],
              ["Agent", `${data.agent} v${data.version}, ${data.environment}`],
              [
                "Invocation",
                <Link key="inv" to={`/console/invocations/${data.id}`}>
                  Open the run
                </Link>,
              ],
              ["Attempts", String(data.attempts)],
              ["Broke at", data.failed_step ?? "–"],
              ["Finished steps", `${data.finished_steps}, not paid for again`],
              ["Cost", costText(data.cost_micros)],
              ["Ended", <When key="ended" at={data.ended_at} />],
              ...(data.redriven_to === null
                ? []
                : [
                    [
                      "Goes on as",
                      <Link key="to" to={`/console/invocations/${data.redriven_to}`}>
                        {data.redriven_to}
                      </Link>,
                    ] as const,
                  ]),
            ]}
          />
          {data.refused ? <p className="fault">{sentence(data.refused.detail)}</p> : null}
          <Amend
            key={data.revision}
            of={data}
            path={path}
            letter={letter}
            writes={can("invocations:write")}
          />
        </>
      ) : null}
    </>
  );
}

const REDRIVE = [{ action: "redrive", label: "Re-drive" }];

/** What it is asked when it goes on, and the way on. */
function Amend(props: {
  readonly of: DeadLetterDetail;
  readonly path: string;
  readonly letter: Loaded<DeadLetterDetail>;
  readonly writes: boolean;
}) {
  const { of, path, letter } = props;
  const doing = useDoing();
  const [key] = useState(newIdempotencyKey);
  const asked = askedIn(of.amended_input ?? of.input);
  if (!props.writes || of.state !== "open") {
    return (
      <>
        <h2>Input</h2>
        <pre>{asked}</pre>
      </>
    );
  }
  return (
    <Form
      className="form card"
      doing={doing}
      submit="Keep this input"
      others={REDRIVE}
      onSubmit={async (form) => {
        const input = textIn(form, "input") ?? "";
        if (input !== asked) {
          await askJson(path, { method: "PATCH", json: { input }, revision: of.revision });
        }
        if (form.get("action") === "redrive") {
          const headers = { "idempotency-key": key };
          await ask(`${path}/redrive`, { method: "POST", json: {}, headers });
        }
        letter.reload();
      }}
    >
      <h2>Go on with it</h2>
      <TextArea
        label="Input"
        name="input"
        rows={4}
        defaultValue={asked}
        hint={of.amended_at === null ? undefined : "Changed from what was asked at first."}
        doing={doing}
      />
    </Form>
  );
}
