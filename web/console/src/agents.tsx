import type { Agent } from "../../../core/agents/contract.ts";
import { usePages, type Paged } from "./load.ts";
import { Link, ProblemNote, Skeleton, Title, When } from "./parts.tsx";

/** The environments every tenant has from the start, in the order work moves through them. */
const ENVIRONMENTS = ["dev", "staging", "prod"];

export function AgentsScreen() {
  const agents = usePages<Agent>("/v1/agents");
  return (
    <section className="page">
      <Title>Agents</Title>
      {agents.problem ? <ProblemNote problem={agents.problem} onRetry={agents.reload} /> : null}
      {agents.data === undefined && agents.loading ? <Skeleton lines={5} /> : null}
      {agents.data === undefined ? null : <AgentList agents={agents.data} more={agents.more} />}
    </section>
  );
}

function AgentList({
  agents,
  more,
}: {
  readonly agents: readonly Agent[];
  readonly more: Paged<Agent>["more"];
}) {
  if (agents.length === 0) {
    return (
      <div className="empty">
        <p>
          <strong>No agents yet.</strong>
        </p>
        <p>
          Create one with <code>POST /v1/agents</code>; it appears here at once. The API is
          described at <a href="/docs">/docs</a>.
        </p>
      </div>
    );
  }
  return (
    <>
      <ul className="agents">
        {agents.map((agent) => (
          <AgentRow key={agent.id} agent={agent} />
        ))}
      </ul>
      {more ? (
        <button type="button" onClick={more}>
          More agents
        </button>
      ) : null}
    </>
  );
}

function AgentRow({ agent }: { readonly agent: Agent }) {
  return (
    <li>
      <div className="who">
        <Link to={`/console/agents/${agent.slug}`} className="cover">
          {agent.name}
        </Link>
        <span className="slug">{agent.slug}</span>
        {agent.description ? <p>{agent.description}</p> : null}
      </div>
      <LiveVersions agent={agent} />
      <span className="updated">
        <When at={agent.updated_at} />
      </span>
    </li>
  );
}

/** Which version is live where; a gap says as much as a number. */
function LiveVersions({ agent }: { readonly agent: Agent }) {
  const others = Object.keys(agent.live).filter((name) => !ENVIRONMENTS.includes(name));
  return (
    <dl className="live" aria-label="Live versions">
      {[...ENVIRONMENTS, ...others].map((name) => {
        const version = agent.live[name];
        return (
          <div key={name} className={version === undefined ? "none" : undefined}>
            <dt>{name}</dt>
            <dd>{version === undefined ? <span aria-label="none">–</span> : `v${version}`}</dd>
          </div>
        );
      })}
    </dl>
  );
}
