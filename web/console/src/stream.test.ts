import { describe, expect, it } from "vitest";
import { ApiProblem } from "./api.ts";
import { follow, type Opener } from "./stream.ts";

type Piece = { readonly events: readonly string[]; readonly breaks?: boolean };

const ACCEPTED = sse(1, "invocation.accepted", { invocation_id: "inv_1" });
const DELTA = sse(2, "message.delta", { text: "hello" });
const ENDED = sse(3, "invocation.succeeded", {});

describe("follow", () => {
  it("gives each event once over a connection that breaks twice", async () => {
    const { opener, calls } = server([
      { events: [ACCEPTED], breaks: true },
      { events: [ACCEPTED, DELTA] },
      { events: [ENDED] },
    ]);
    const links: string[] = [];
    expect(await collect(opener, links)).toEqual([1, 2, 3]);
    expect(calls).toEqual(["start", "resume inv_1 after 1", "resume inv_1 after 2"]);
    expect(links).toEqual(["live", "reconnecting", "live", "reconnecting", "live"]);
  });

  it("starts again with the same request while no event has named the invocation", async () => {
    const { opener, calls } = server([{ events: [] }, { events: [ACCEPTED, DELTA, ENDED] }]);
    expect(await collect(opener, [])).toEqual([1, 2, 3]);
    expect(calls).toEqual(["start", "start"]);
  });

  it("ends at the terminal event though the server keeps the stream open", async () => {
    const { opener, calls } = server([{ events: [ACCEPTED, ENDED, sse(4, "message.delta", {})] }]);
    expect(await collect(opener, [])).toEqual([1, 3]);
    expect(calls).toEqual(["start"]);
  });

  it("hands a refusal on at once", async () => {
    const refusal = new ApiProblem({ title: "No", status: 503, code: "not_deployed" });
    const opener: Opener = {
      start: () => Promise.reject(refusal),
      resume: () => Promise.reject(new Error("must not be asked")),
    };
    await expect(collect(opener, [])).rejects.toBe(refusal);
  });

  it("gives up with a problem when the server stays away, with growing pauses", async () => {
    const { opener, calls } = server([{ events: [ACCEPTED] }]);
    const pauses: number[] = [];
    await expect(collect(opener, [], pauses)).rejects.toMatchObject({
      document: { code: "connection_lost" },
    });
    expect(calls.length).toBe(1 + 8);
    expect(pauses).toEqual([0, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
  });
});

function sse(seq: number, event: string, data: unknown): string {
  return `id: ${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** A server that answers with the pieces in turn, then with empty streams. */
function server(pieces: readonly Piece[]): { opener: Opener; calls: string[] } {
  const calls: string[] = [];
  const answer = (call: string) => {
    const piece = pieces[calls.length] ?? { events: [] };
    calls.push(call);
    const bytes = new TextEncoder().encode(piece.events.join(""));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes);
        if (!piece.breaks) controller.close();
      },
      pull(controller) {
        controller.error(new TypeError("network error"));
      },
    });
    return Promise.resolve(new Response(body));
  };
  const opener: Opener = {
    start: () => answer("start"),
    resume: (id, after) => answer(`resume ${id} after ${after}`),
  };
  return { opener, calls };
}

async function collect(opener: Opener, links: string[], pauses: number[] = []): Promise<number[]> {
  const seen: number[] = [];
  const options = {
    pause: (ms: number) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    onLink: (link: string) => void links.push(link),
  };
  for await (const { seq } of follow(opener, options)) seen.push(seq);
  return seen;
}
