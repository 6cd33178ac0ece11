import { useEffect, useState } from "react";
import type { Agent, AgentCondition } from "../../../core/agents/contract.ts";
import { AgentFrame } from "./agent-frame.tsx";
import { ask } from "./api.ts";
import { Confirm, useDoing } from "./form.tsx";
import { countText } from "./format.ts";
import { useLoad, type Loaded } from "./load.ts";
import { ProblemNote, Skeleton, When } from "./parts.tsx";
import { Row } from "./settings/listing.tsx";

/** How often it is read again while somebody looks at it. */
const REFRESH_MS = 5000;

/** How one agent is doing, and the hand on it: pause, resume, restart. */
export function HealthScreen(props: { readonly agent: string; readonly writes: boolean }) {
  const agent = useLoad<Agent>(`/v1/agents/${encodeURIComponent(props.agent)}`);
  return (
    <AgentFrame agent={agent} slug={props.agent} current="health">
      {(found) => <Health of={found} agent={agent} writes={props.writes} />}
    </AgentFrame>
  );
}

function Health(props: {
  readonly of: Agent;
  readonly agent: Loaded<Agent>;
  readonly writes: boolean;
}) {
  const { of, agent } = props;
  const path = `/v1/agents/${of.id}`;
  const health = useLoad<{ readonly data: readonly AgentCondition[] }>(`${path}/health`);
  const { reload } = health;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <section className="page">
      {of.paused_at === null ? null : (
        <p>
          <strong>Paused</strong> since <When at={of.paused_at} />: what comes is accepted and kept.
        </p>
      )}
      {props.writes ? (
        <Hands
          of={of}
          path={path}
          onChanged={() => {
            agent.reload();
            reload();
          }}
        />
      ) : null}
      {health.problem ? <ProblemNote problem={health.problem} onRetry={reload} /> : null}
      {health.data === undefined && health.loading ? <Skeleton lines={3} /> : null}
      {health.data?.data.length === 0 ? (
        <div className="empty">
          <p>
            <strong>Nothing of it is there yet.</strong>
          </p>
          <p>It is when it has been deployed, or asked for the first time.</p>
        </div>
      ) : null}
      <ul className="rows">
        {health.data?.data.map((it) => (
          <li key={`${it.environment} ${it.replica}`}>
            <Row
              name={it.environment}
              slug={`object ${it.replica + 1}`}
              state={it.paused ? "paused" : (it.upstream?.status ?? "active")}
              about={
                <>
                  {countText(it.open)} open.{" "}
                  {it.upstream === null ? null : <Upstream of={it.upstream} />}
                </>
              }
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Upstream({ of }: { readonly of: NonNullable<AgentCondition["upstream"]> }) {
  return (
    <>
      {of.since === null ? null : (
        <>
          Its upstream is down since <When at={of.since} />.{" "}
        </>
      )}
      {of.checked_at === null ? null : (
        <>
          Asked <When at={of.checked_at} />.{" "}
        </>
      )}
      {of.breaker_open ? "Its breaker is open: work waits for a probe." : null}
    </>
  );
}

function Hands(props: {
  readonly of: Agent;
  readonly path: string;
  readonly onChanged: () => void;
}) {
  const { of, path } = props;
  const doing = useDoing();
  const [restarting, setRestarting] = useState(false);
  const turn = async (verb: "pause" | "resume" | "restart"): Promise<void> => {
    await ask(`${path}/${verb}`, { method: "POST", json: {} });
    props.onChanged();
  };
  const verb = of.paused_at === null ? "pause" : "resume";
  return (
    <div className="actions">
      <button type="button" aria-disabled={doing.busy} onClick={() => doing.run(() => turn(verb))}>
        {verb === "pause" ? "Pause" : "Resume"}
      </button>
      <button type="button" onClick={() => setRestarting(true)}>
        Restart
      </button>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
      {restarting ? (
        <Confirm
          title={`Restart ${of.name}?`}
          action="Restart"
          onClose={() => setRestarting(false)}
          onConfirm={() => turn("restart")}
        >
          <p>What runs is interrupted, and goes on from its journal.</p>
        </Confirm>
      ) : null}
    </div>
  );
}
