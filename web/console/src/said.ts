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
  /** The step's key; of a call read back, the model's own id for it. */
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
  if (whole === "") return dropUnkept(pieces);
  const before = pieces.at(-1)?.kind === "text" ? pieces.slice(0, -1) : pieces;
  return [...before, { kind: "text", at: before.length, text: whole, kept: true }];
}

/** A call by its step: one row however often its event comes. */
export function called(pieces: Pieces, data: Data): Pieces {
  const callId = callIdOf(data);
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
  const callId = callIdOf(data);
  const result = { content: textOf(data["content"]), isError: data["is_error"] === true };
  return pieces.map((piece) =>
    piece.kind === "tool" && piece.callId === callId ? { ...piece, result } : piece,
  );
}

/** A model may use an id of its own twice in a run; a step's key is there once. */
function callIdOf(data: Data): string {
  return textOf(data["key"] ?? data["call_id"]);
}

/** Text as it is; anything else as the JSON that was meant. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
