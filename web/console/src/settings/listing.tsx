import { useState, type ReactNode } from "react";
import { usePages, type Paged } from "../load.ts";
import { Link, ProblemNote, Skeleton, Title } from "../parts.tsx";

/**
 * A page that lists things of one kind and may make another.
 *
 * @param renderForm  The form of a new one; it calls `done` when it has made it or is given up.
 */
export function Listing<T extends { readonly id: string }>(props: {
  readonly title: string;
  readonly path: string;
  /** Below another list of the same page: its heading is of the second level. */
  readonly second?: boolean;
  readonly note?: ReactNode;
  readonly empty: ReactNode;
  readonly newOne?: string | undefined;
  readonly renderForm?: (done: () => void, list: Paged<T>) => ReactNode;
  readonly renderRow: (item: T, list: Paged<T>) => ReactNode;
}) {
  const { title, path, renderForm, newOne } = props;
  const list = usePages<T>(path);
  const [making, setMaking] = useState(false);
  return (
    <>
      <div className="page-head">
        {props.second ? <h2>{title}</h2> : <Title>{title}</Title>}
        {newOne && renderForm && !making ? (
          <button type="button" className="primary" onClick={() => setMaking(true)}>
            {newOne}
          </button>
        ) : null}
      </div>
      {props.note ? <p className="note">{props.note}</p> : null}
      {making ? renderForm?.(() => setMaking(false), list) : null}
      {list.problem ? <ProblemNote problem={list.problem} onRetry={list.reload} /> : null}
      {list.data === undefined && list.loading ? <Skeleton lines={5} /> : null}
      {list.data?.length === 0 ? <div className="empty">{props.empty}</div> : null}
      {list.data === undefined || list.data.length === 0 ? null : (
        <ul className="rows">
          {list.data.map((item) => (
            <li key={item.id}>{props.renderRow(item, list)}</li>
          ))}
        </ul>
      )}
      {list.more ? (
        <button type="button" onClick={list.more}>
          More
        </button>
      ) : null}
    </>
  );
}

/** What every row says: a name that may lead on, a quieter one, a state, facts, and what can be done. */
export function Row(props: {
  readonly name: string;
  readonly to?: string;
  readonly slug?: string;
  readonly state?: string;
  readonly about?: ReactNode;
  readonly children?: ReactNode;
}) {
  return (
    <>
      <div className="who">
        {props.to === undefined ? (
          <strong>{props.name}</strong>
        ) : (
          <Link to={props.to} className="cover">
            {props.name}
          </Link>
        )}
        {props.slug ? <span className="slug">{props.slug}</span> : null}
      </div>
      {props.state ? <span className={`state is-${props.state}`}>{props.state}</span> : null}
      {props.about || props.children ? (
        <div className="about">
          {props.about}
          {props.children ? <div className="actions row-actions">{props.children}</div> : null}
        </div>
      ) : null}
    </>
  );
}

/** The way back from one thing to its list. */
export function Path(props: { readonly to: string; readonly children: string }) {
  return (
    <nav aria-label="Path" className="path">
      <Link to={props.to}>{props.children}</Link>
    </nav>
  );
}

/** Names and values of one thing. */
export function Facts(props: {
  readonly facts: readonly (readonly [name: string, value: ReactNode])[];
}) {
  return (
    <dl className="facts-list">
      {props.facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
