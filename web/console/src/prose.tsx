import { Fragment, memo } from "react";
import { parseProse, type Block, type Inline } from "./prose.ts";

/** An answer's text. Text nodes only: nothing a model writes becomes markup. */
export const Prose = memo(function Prose(props: {
  readonly text: string;
  readonly growing?: boolean;
}) {
  return (
    <div className={props.growing ? "prose is-growing" : "prose"}>
      {parseProse(props.text).map((block) => (
        <BlockView key={block.at} block={block} />
      ))}
    </div>
  );
});

function BlockView({ block }: { readonly block: Block }) {
  switch (block.kind) {
    case "paragraph":
      return <p>{inline(block.content)}</p>;
    case "heading":
      return (
        <p className="heading">
          <strong>{inline(block.content)}</strong>
        </p>
      );
    case "quote":
      return <blockquote>{inline(block.content)}</blockquote>;
    case "code":
      return (
        <pre>
          <code>{block.text}</code>
        </pre>
      );
    case "list":
    default: {
      const items = block.items.map(({ at, content }) => <li key={at}>{inline(content)}</li>);
      return block.ordered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
  }
}

function inline(parts: readonly Inline[]) {
  return parts.map((part) => {
    const key = part.at;
    switch (part.kind) {
      case "code":
        return <code key={key}>{part.text}</code>;
      case "strong":
        return <strong key={key}>{part.text}</strong>;
      case "emphasis":
        return <em key={key}>{part.text}</em>;
      case "link":
        return (
          <a key={key} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        );
      case "text":
      default:
        return <Fragment key={key}>{part.text}</Fragment>;
    }
  });
}
