/** How much of something is used: a bar for the eye, its numbers for everybody. */
export function Meter(props: {
  readonly label: string;
  readonly used: number;
  /** Put aside and not used yet. */
  readonly held?: number;
  readonly of: number;
  readonly children: string;
}) {
  const { label, used, held = 0, of } = props;
  const width = (part: number) => (of === 0 ? 100 : Math.min(100, (part / of) * 100));
  const usedPct = width(used);
  return (
    <div className="meter">
      <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
        <rect className={used >= of ? "full" : "used"} width={usedPct} height="4" />
        <rect
          className="held"
          x={usedPct}
          width={Math.min(100 - usedPct, width(held))}
          height="4"
        />
      </svg>
      <span className="number">
        <span className="sr-only">{label}: </span>
        {props.children}
      </span>
    </div>
  );
}
