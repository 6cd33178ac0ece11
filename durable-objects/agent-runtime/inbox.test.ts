import { describe, expect, it } from "vitest";
import { Inbox } from "./inbox.ts";

const socket = () => new WebSocketPair()[0];

/** A check that ends when it is told to. */
function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe("the frames of a socket", () => {
  it("G15: keep their order, however long the check of one of them takes", async () => {
    const inbox = new Inbox();
    const from = socket();
    const slow = gate();
    const done: string[] = [];
    const first = inbox.inTurn(from, 1, async () => {
      await slow.opened;
      done.push("first");
    });
    const second = inbox.inTurn(from, 1, async () => {
      done.push("second");
    });
    // Another socket does not wait for this one.
    await inbox.inTurn(socket(), 1, async () => {
      done.push("other");
    });
    slow.open();
    await Promise.all([first, second]);
    expect(done).toEqual(["other", "first", "second"]);
  });

  it("go on behind one that failed", async () => {
    const inbox = new Inbox();
    const from = socket();
    const failed = inbox.inTurn(from, 1, () => Promise.reject(new Error("a defect")));
    const next = inbox.inTurn(from, 1, () => Promise.resolve());
    await expect(failed).rejects.toThrow("a defect");
    await expect(next).resolves.toBeUndefined();
  });

  it("G14: may wait, but not without bound", async () => {
    const inbox = new Inbox();
    const from = socket();
    const slow = gate();
    const mebi = 1024 * 1024;
    const waiting = [1, 2, 3].map(() => inbox.inTurn(from, mebi, () => slow.opened));
    expect(inbox.admits(from, 1000, 0)).toBe(true);
    expect(inbox.admits(from, mebi, 0)).toBe(false);
    slow.open();
    await Promise.all(waiting);
    expect(inbox.admits(from, mebi, 0)).toBe(true);
  });

  it("G14: are counted by the second, each socket's for itself", () => {
    const inbox = new Inbox();
    const from = socket();
    const taken = (atMs: number) => inbox.admits(from, 1, atMs);
    expect(Array.from({ length: 60 }, () => taken(1999)).filter(Boolean)).toHaveLength(50);
    expect(taken(2000)).toBe(true);
    expect(inbox.admits(socket(), 1, 1999)).toBe(true);
  });
});
