import type { SourceNote } from "./turn.ts";

/** What an answer rests on: numbered, each opening to the passage it quotes. */
export function Sources({ sources }: { readonly sources: readonly SourceNote[] }) {
  return (
    <div className="sources">
      <p className="label">Sources</p>
      <ol>
        {sources.map((source, index) => (
          <li key={source.title + source.quote}>
            <details>
              <summary>
                <span className="number">{index + 1}</span>
                <span>{source.title}</span>
              </summary>
              <blockquote>{source.quote}</blockquote>
            </details>
          </li>
        ))}
      </ol>
    </div>
  );
}
