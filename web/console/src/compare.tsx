import type { Diff, DiffStep, DiffText } from "../../../core/replays/contract.ts";
import { costText } from "./format.ts";
import { useLoad } from "./load.ts";
import { Link, ProblemNote, Skeleton, Title } from "./parts.tsx";

/** Two runs side by side: what is the same is said in a word, what is not stands in both. */
export function CompareScreen(props: { readonly from: string; readonly to: string }) {
  const { from, to } = props;
  const diff = useLoad<Diff>(
    `/v1/invocations/${encodeURIComponent(from)}/diff?to=${encodeURIComponent(to)}`,
  );
  const { data } = diff;
  return (
    <section className="page invocation">
      <nav className="path" aria-label="Path">
        <Link to={`/console/invocations/${from}`}>The first</Link>
        <Link to={`/console/invocations/${to}`}>The second</Link>
      </nav>
      <Title>Two runs compared</Title>
      {diff.problem ? <ProblemNote problem={diff.problem} onRetry={diff.reload} /> : null}
      {data === undefined && diff.loading ? <Skeleton lines={6} /> : null}
      {data ? (
        <>
          <p>
            {data.same
              ? "Both are the same."
              : `They part at ${data.first_difference ?? "the output"}.`}{" "}
            {moneyText(data.cost_micros_change)}
          </p>
          <Both name="Input" of={data.input} />
          <Both name="Output" of={data.output} />
          <Both name="Error" of={data.error} />
          <h2>Steps</h2>
          <ol className="steps">
            {data.steps.map((step) => (
              <StepDiff key={step.key} step={step} />
            ))}
          </ol>
        </>
      ) : null}
    </section>
  );
}

function moneyText(change: number): string {
  if (change === 0) return "They cost the same.";
  return change > 0
    ? `The second cost ${costText(change)} more.`
    : `The second cost ${costText(-change)} less.`;
}

function Both({ name, of }: { readonly name: string; readonly of: DiffText }) {
  if (of.from === null && of.to === null) return null;
  return (
    <>
      <h2>
        {name}
        {of.same ? " (the same)" : ""}
      </h2>
      {of.same ? <pre>{of.from}</pre> : <Sides of={of} />}
    </>
  );
}

function Sides({ of }: { readonly of: DiffText }) {
  return (
    <div className="sides">
      <pre aria-label="In the first">{of.from ?? "–"}</pre>
      <pre aria-label="In the second">{of.to ?? "–"}</pre>
    </div>
  );
}

function StepDiff({ step }: { readonly step: DiffStep }) {
  return (
    <li>
      <details>
        <summary>
          <span className="label">{step.kind}</span>
          <span className="name">{step.name.to ?? step.name.from}</span>
          <span className={`outcome is-${step.change}`}>{step.change}</span>
          <span className="took">{step.key}</span>
        </summary>
        <dl>
          {step.change === "same" ? (
            <>
              <dt>Both</dt>
              <dd>Asked the same, and were answered the same.</dd>
            </>
          ) : null}
          {step.differs.map((part) => (
            <div key={part}>
              <dt>{part}</dt>
              <dd>
                <Sides of={step[part]} />
              </dd>
            </div>
          ))}
        </dl>
      </details>
    </li>
  );
}
