import { useEffect } from "react";
import type { Batch } from "../../../../core/batches/contract.ts";
import { ask, askJson, newIdempotencyKey } from "../api.ts";
import { useDoing } from "../form.tsx";
import { countText } from "../format.ts";
import { useLoad } from "../load.ts";
import { Link, ProblemNote, Skeleton, Title, When } from "../parts.tsx";
import { navigate } from "../route.ts";
import type { PageProps } from "../section.tsx";
import { Facts, Listing, Path, Row } from "../settings/listing.tsx";
import { Meter } from "./meter.tsx";

/** How often one that is under way is read again. */
const REFRESH_MS = 2000;

/** Many inputs at once, and how far they are. */
export function BatchesPage(props: PageProps) {
  if (props.id !== undefined) return <OneBatch {...props} id={props.id} />;
  return (
    <Listing<Batch>
      title="Batches"
      path="/v1/batches"
      empty="None yet. POST /v1/batches hands up to 10,000 inputs to an agent."
      renderRow={(batch) => (
        <Row
          name={`${countText(batch.total)} inputs`}
          slug={batch.environment}
          to={`/console/work/batches/${batch.id}`}
          state={batch.status}
          about={<When at={batch.created_at} />}
        />
      )}
    />
  );
}

function OneBatch({ id, can }: PageProps & { readonly id: string }) {
  const path = `/v1/batches/${encodeURIComponent(id)}`;
  const batch = useLoad<Batch>(path);
  const { data, reload } = batch;
  const open = data !== undefined && data.completed_at === null;
  useEffect(() => {
    if (!open) return undefined;
    const timer = setInterval(reload, REFRESH_MS);
    return () => clearInterval(timer);
  }, [open, reload]);
  return (
    <>
      <Path to="/console/work/batches">Batches</Path>
      {batch.problem ? <ProblemNote problem={batch.problem} onRetry={reload} /> : null}
      {data === undefined && batch.loading ? <Skeleton lines={5} /> : null}
      {data ? (
        <>
          <Head of={data} path={path} can={can} onChanged={reload} />
          <Meter label="Done" used={data.done} of={data.total}>
            {`${countText(data.done)} of ${countText(data.total)} done`}
          </Meter>
          <Progress of={data} />
        </>
      ) : null}
    </>
  );
}

function Progress({ of }: { readonly of: Batch }) {
  const { counts, error, notices } = of;
  return (
    <>
      {error ? <p className="fault">{error.detail}</p> : null}
      {notices.map(({ code, detail }) => (
        <p key={code} className="note">
          {detail}
        </p>
      ))}
      <Facts
        facts={[
          ["State", of.status],
          ["Succeeded", countText(counts.succeeded)],
          ["Failed", countText(counts.failed)],
          ["Refused", countText(counts.refused)],
          ["Cancelled", countText(counts.cancelled)],
          ["Under way", countText(counts.open)],
          ["Waiting", countText(counts.waiting)],
          ["Done about", of.eta === null ? "–" : <When key="eta" at={of.eta} />],
          ...(of.redriven_from === null
            ? []
            : [
                [
                  "Failures of",
                  <Link key="from" to={`/console/work/batches/${of.redriven_from}`}>
                    an earlier batch
                  </Link>,
                ] as const,
              ]),
        ]}
      />
    </>
  );
}

function Head(props: {
  readonly of: Batch;
  readonly path: string;
  readonly can: PageProps["can"];
  readonly onChanged: () => void;
}) {
  const { of, path, can } = props;
  const doing = useDoing();
  const cancel = async (): Promise<void> => {
    await ask(`${path}/cancel`, { method: "POST", json: {} });
    props.onChanged();
  };
  const again = async (): Promise<void> => {
    const headers = { "idempotency-key": newIdempotencyKey() };
    const made = await askJson<Batch>(`${path}/redrive`, { method: "POST", json: {}, headers });
    navigate(`/console/work/batches/${made.id}`);
  };
  const over = of.completed_at !== null;
  const missed = of.counts.failed + of.counts.refused;
  return (
    <>
      <div className="page-head">
        <Title>{`Batch of ${countText(of.total)}`}</Title>
        <div className="actions">
          <a href={`${path}/results`} download={`${of.id}.jsonl`}>
            Download results
          </a>
          {!over && can("invocations:write") ? (
            <button
              type="button"
              className="stop"
              aria-disabled={doing.busy}
              onClick={() => doing.run(cancel)}
            >
              Cancel
            </button>
          ) : null}
          {over && missed > 0 && can("agents:invoke") ? (
            <button type="button" aria-disabled={doing.busy} onClick={() => doing.run(again)}>
              {`Run ${countText(missed)} again`}
            </button>
          ) : null}
        </div>
      </div>
      {doing.problem ? <ProblemNote problem={doing.problem} /> : null}
    </>
  );
}
