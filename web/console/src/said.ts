/** The pieces of an answer in their order: text as it streams, and the tools called between. */
export type Said = {
  readonly kind: "text";
  /** Its place among the pieces, which never changes. */
  readonly at: number;
  readonly text: string;
  /** A finished step stands behind it, so a restarted run does not say it again. */
  readonly kept: boolean;
};

export type ToolUse = {
  readonly kind: "tool";
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
  readonly result: { readonly content: string; readonly isError: boolean } | null;
};

export type Piece = Said | ToolUse;
export type Pieces = readonly Piece[];
type Data = Readonly<Record<string, unknown>>;

export function say(pieces: Pieces, more: string): Pieces {
  const last = pieces.at(-1);
  return last?.kind === "text" && !last.kept
    ? [...pieces.slice(0, -1), { ...last, text: last.text + more }]
    : [...pieces, { kind: "text", at: pieces.length, text: more, kept: false }];
}

/** What is said so far is final. */
export function keep(pieces: Pieces): Pieces {
  return pieces.map((piece) => (piece.kind === "text" ? { ...piece, kept: true } : piece));
}

/** What a lost run had begun to say goes; the next run says it again. */
export function dropUnkept(pieces: Pieces): Pieces {
  return pieces.filter((piece) => piece.kind === "tool" || piece.kept);
}

/** The whole text of the last message stands in for whatever was streamed of it. */
export function complete(pieces: Pieces, whole: string): Pieces {
  const before = pieces.at(-1)?.kind === "text" ? pieces.slice(0, -1) : pieces;
  if (whole === "") return before;
  return [...before, { kind: "text", at: before.length, text: whole, kept: true }];
}

/** A call by its `call_id`: one row however often its event comes. */
export function called(pieces: Pieces, data: Data): Pieces {
  const callId = textOf(data["call_id"]);
  if (pieces.some((piece) => piece.kind === "tool" && piece.callId === callId)) return pieces;
  const name = textOf(data["name"]);
  const call: ToolUse = {
    kind: "tool",
    callId,
    name,
    arguments: textOf(data["arguments"]),
    result: null,
  };
  return [...pieces, call];
}

export function returned(pieces: Pieces, data: Data): Pieces {
  const callId = textOf(data["call_id"]);
  const result = { content: textOf(data["content"]), isError: data["is_error"] === true };
  return pieces.map((piece) =>
    piece.kind === "tool" && piece.callId === callId ? { ...piece, result } : piece,
  );
}

/** Text as it is; anything else as the JSON that was meant. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
