import type { ProxyResponse } from "../../../core/upstreams/contract.ts";

/**
 * Answers of upstreams that are on their way, for callers that wait for them: each piece is handed
 * on as it comes. What they hold is bounded by the spec's `max_response_bytes`; it is stored when it
 * is whole, and only then do the callers' streams end.
 */
export class LiveAnswers {
  readonly #live = new Map<string, LiveAnswer>();

  /** The head is there. */
  begin(invocationId: string, head: Omit<ProxyResponse, "body">): LiveAnswer {
    const answer = new LiveAnswer(head, () => this.#live.delete(invocationId));
    this.#live.set(invocationId, answer);
    return answer;
  }

  get(invocationId: string): LiveAnswer | undefined {
    return this.#live.get(invocationId);
  }
}

export class LiveAnswer {
  readonly head: Omit<ProxyResponse, "body">;
  readonly #over: () => void;
  readonly #pieces: Uint8Array[] = [];
  #end: "none" | "whole" | "broken" = "none";
  #wakers: (() => void)[] = [];

  constructor(head: Omit<ProxyResponse, "body">, over: () => void) {
    this.head = head;
    this.#over = over;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  /** It is stored, or will never be whole. */
  end(how: "whole" | "broken"): void {
    if (this.#end !== "none") return;
    this.#end = how;
    this.#over();
    this.#wake();
  }

  /** From its first byte, whenever it is asked for. */
  body(): ReadableStream<Uint8Array> {
    let next = 0;
    return new ReadableStream({
      type: "bytes",
      pull: async (controller: ReadableByteStreamController) => {
        while (next >= this.#pieces.length && this.#end === "none") await this.#changed();
        const piece = this.#pieces[next];
        next += 1;
        // A copy: what a byte stream is given is taken from whoever gave it.
        if (piece !== undefined) controller.enqueue(piece.slice());
        else if (this.#end === "whole") controller.close();
        else controller.error(new Error("the upstream's answer broke off"));
      },
    });
  }

  async #changed(): Promise<void> {
    await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waken of wakers) waken();
  }
}
