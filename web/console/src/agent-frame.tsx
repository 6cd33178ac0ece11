import type { ReactNode } from "react";
import type { Agent } from "../../../core/agents/contract.ts";
import type { Loaded } from "./load.ts";
import { Link, ProblemNote, Skeleton, Title } from "./parts.tsx";

/** The head every screen of one agent shares: where one is, and the way to its other screens. */
export function AgentFrame(props: {
  readonly agent: Loaded<Agent>;
  readonly slug: string;
  readonly current: "talk" | "invocations" | "health";
  readonly aside?: ReactNode;
  readonly children: (agent: Agent) => ReactNode;
}) {
  const { agent, slug, current } = props;
  const base = `/console/agents/${slug}`;
  return (
    <>
      <div className="agent-head">
        <nav aria-label="Path">
          <Link to="/console">Agents</Link>
        </nav>
        <Title focused={current !== "talk"}>{agent.data?.name ?? slug}</Title>
        {props.aside}
        <nav className="tabs" aria-label="Agent">
          <Link to={base} current={current === "talk" ? "page" : undefined}>
            Talk
          </Link>
          <Link to={`${base}/invocations`} current={current === "invocations" ? "page" : undefined}>
            Invocations
          </Link>
          <Link to={`${base}/health`} current={current === "health" ? "page" : undefined}>
            Health
          </Link>
        </nav>
      </div>
      {agent.problem ? (
        <div className="page">
          <ProblemNote problem={agent.problem} onRetry={agent.reload} />
        </div>
      ) : null}
      {agent.data === undefined && agent.loading ? (
        <div className="page">
          <Skeleton />
        </div>
      ) : null}
      {agent.data ? props.children(agent.data) : null}
    </>
  );
}
