import type { Step } from "../../../core/invocations/contract.ts";
import { costText, countText, prettyText, tookText } from "./format.ts";
import { StepOutput } from "./step-output.tsx";

/** The journal as a waterfall: one row a step, opening to what went in and came out. */
export function StepList({ steps }: { readonly steps: readonly Step[] }) {
  if (steps.length === 0) return <p className="note">No step was begun.</p>;
  const span = spanOf(steps);
  return (
    <ol className="steps">
      {steps.map((step) => (
        <StepRow key={step.key} step={step} span={span} />
      ))}
    </ol>
  );
}

function StepRow({ step, span }: { readonly step: Step; readonly span: Span }) {
  return (
    <li>
      <details>
        <summary>
          <span className="label">{step.kind}</span>
          <span className="name">{step.name}</span>
          <span className={`outcome is-${step.state}`}>{step.state}</span>
          <span className="took">{tookText(step.started_at, step.finished_at)}</span>
          <Bar step={step} span={span} />
        </summary>
        <dl>
          <dt>Key</dt>
          <dd className="id">{step.key}</dd>
          {step.kind === "model" ? (
            <>
              <dt>Tokens</dt>
              <dd>
                {countText(step.input_tokens)} in, {countText(step.output_tokens)} out,{" "}
                {costText(step.cost_micros)}
              </dd>
            </>
          ) : null}
          {step.attempt > 1 ? (
            <>
              <dt>Run</dt>
              <dd>{step.attempt}</dd>
            </>
          ) : null}
          {step.input === null ? null : (
            <>
              <dt>Input</dt>
              <dd>
                <pre>{prettyText(step.input)}</pre>
              </dd>
            </>
          )}
          {step.output === null ? null : (
            <>
              <dt>Output</dt>
              <dd>
                <StepOutput output={step.output} />
              </dd>
            </>
          )}
        </dl>
      </details>
    </li>
  );
}

type Span = { readonly startMs: number; readonly endMs: number };

function spanOf(steps: readonly Step[]): Span {
  const starts = steps.map((step) => Date.parse(step.started_at));
  const ends = steps.map((step) => Date.parse(step.finished_at ?? step.started_at));
  return { startMs: Math.min(...starts), endMs: Math.max(...ends) };
}

/** Where in the run the step lies; drawn in SVG units, so no inline style is needed. */
function Bar({ step, span }: { readonly step: Step; readonly span: Span }) {
  const lengthMs = Math.max(1, span.endMs - span.startMs);
  const startMs = Date.parse(step.started_at) - span.startMs;
  const endMs = Date.parse(step.finished_at ?? step.started_at) - span.startMs;
  const widthPct = Math.max(1, ((endMs - startMs) / lengthMs) * 100);
  const leftPct = Math.min((startMs / lengthMs) * 100, 100 - widthPct);
  return (
    <svg className="bar-of-time" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
      <rect x={leftPct} width={widthPct} height="4" rx="0.5" />
    </svg>
  );
}
