import { useEffect } from "react";
import type { Invocation, Step } from "../../../core/invocations/contract.ts";
import { costText, countText, tookText } from "./format.ts";
import { Actions } from "./invocation-again.tsx";
import { ReceiptOf } from "./invocation-receipt.tsx";
import { useLoad, type Loaded } from "./load.ts";
import { CopyButton, Link, ProblemNote, Skeleton, Status, Title, When } from "./parts.tsx";
import { Prose } from "./prose.tsx";
import { Sources } from "./sources.tsx";
import { StepList } from "./steps.tsx";
import { askedIn } from "./turn.ts";
import { Failure } from "./turns.tsx";
import type { May } from "./wire.ts";

/** How often an invocation that has not ended is read again. */
const REFRESH_MS = 1000;

/** One invocation whole: what came in, what went out, every step between, and what it cost. */
export function InvocationScreen(props: { readonly id: string; readonly may: May }) {
  const path = `/v1/invocations/${encodeURIComponent(props.id)}`;
  const invocation = useLoad<Invocation>(path);
  const steps = useLoad<{ readonly data: readonly Step[] }>(`${path}/steps`);
  useRefresh(invocation, steps.reload);
  const found = invocation.data;
  return (
    <section className="page invocation">
      {found ? (
        <nav className="path" aria-label="Path">
          <Link to="/console">Agents</Link>
          <Link to={`/console/agents/${found.agent}`}>{found.agent}</Link>
          <Link to={`/console/agents/${found.agent}/invocations`}>Invocations</Link>
        </nav>
      ) : null}
      <div className="title-row">
        <div>
          <Title>Invocation</Title>
          <span className="id">{props.id}</span>
          <CopyButton text={props.id} label="Copy the id" />
        </div>
        {found ? (
          <Actions
            of={found}
            steps={steps.data?.data ?? []}
            may={props.may}
            onChanged={invocation.reload}
          />
        ) : null}
      </div>
      {invocation.problem ? (
        <ProblemNote problem={invocation.problem} onRetry={invocation.reload} />
      ) : null}
      {found === undefined && invocation.loading ? <Skeleton lines={6} /> : null}
      {found ? (
        <>
          <Facts of={found} />
          <Spoken of={found} />
          <h2>Steps</h2>
          {steps.problem ? <ProblemNote problem={steps.problem} onRetry={steps.reload} /> : null}
          {steps.data ? <StepList steps={steps.data.data} /> : null}
          {found.completed_at === null ? null : <ReceiptOf id={found.id} />}
        </>
      ) : null}
    </section>
  );
}

function Facts({ of }: { readonly of: Invocation }) {
  const { usage } = of;
  return (
    <dl className="facts">
      <div>
        <dt>Status</dt>
        <dd aria-live="polite">
          <Status status={of.status} />
        </dd>
      </div>
      <div>
        <dt>Started</dt>
        <dd>
          <When at={of.created_at} />
        </dd>
      </div>
      <div>
        <dt>Took</dt>
        <dd>{tookText(of.created_at, of.completed_at) || "…"}</dd>
      </div>
      <div>
        <dt>Tokens</dt>
        <dd>
          {countText(usage.input_tokens)} in, {countText(usage.output_tokens)} out
          {usage.estimated ? " (estimated)" : ""}
        </dd>
      </div>
      <div>
        <dt>Cost</dt>
        <dd>{costText(of.cost_micros)}</dd>
      </div>
      <div>
        <dt>Where</dt>
        <dd>
          {of.environment} v{of.version}
        </dd>
      </div>
      <div>
        <dt>Runs</dt>
        <dd>{of.attempts}</dd>
      </div>
      <div className="wide">
        <dt>Session</dt>
        <dd>
          <Link to={sessionAddress(of)} className="id">
            {of.session_id}
          </Link>
        </dd>
      </div>
      <Origin name="Re-drive of" id={of.redriven_from} of={of} />
      <Origin name="Fork of" id={of.forked_from} of={of} />
    </dl>
  );
}

/** The invocation it came from, and the way to see both beside each other. */
function Origin(props: {
  readonly name: string;
  readonly id: string | null;
  readonly of: Invocation;
}) {
  const { name, id, of } = props;
  if (id === null) return null;
  return (
    <div className="wide">
      <dt>{name}</dt>
      <dd>
        <Link to={`/console/invocations/${id}`} className="id">
          {id}
        </Link>{" "}
        {of.completed_at === null ? null : (
          <Link to={`/console/invocations/${id}?compare=${of.id}`}>Compare</Link>
        )}
      </dd>
    </div>
  );
}

function Spoken({ of }: { readonly of: Invocation }) {
  const sources = of.output?.data?.sources ?? [];
  return (
    <>
      <h2>Input</h2>
      <p className="input">{askedIn(of.input)}</p>
      <h2>Output</h2>
      {of.output ? <Prose text={of.output.text} /> : null}
      {of.output && of.output.data ? <p className="note">By {of.output.data.model}</p> : null}
      {sources.length > 0 ? <Sources sources={sources} /> : null}
      {of.error ? <Failure error={of.error} /> : null}
      {of.output === null && of.error === null ? (
        <p className="note">{of.completed_at === null ? "Not yet." : "None."}</p>
      ) : null}
    </>
  );
}

/** Reads again until the end, and the steps each time with it. */
function useRefresh(invocation: Loaded<Invocation>, reloadSteps: () => void): void {
  const { data, reload } = invocation;
  const moving = data !== undefined && data.completed_at === null;
  const status = data?.status;
  useEffect(() => {
    if (status !== undefined) reloadSteps();
    if (!moving) return undefined;
    const timer = setInterval(() => {
      reload();
      reloadSteps();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [moving, status, reload, reloadSteps]);
}

function sessionAddress({ agent, environment, session_id: session }: Invocation): string {
  const query = new URLSearchParams({ environment, session });
  return `/console/agents/${agent}?${query}`;
}
