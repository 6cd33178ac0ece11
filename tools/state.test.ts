import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { emptyState, holdState, openState, releaseState, StateError } from "./state.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

it("empties a folder that is ours, and nothing else", () => {
  openState(folder);
  mkdirSync(join(folder, "state", "deep"), { recursive: true });
  emptyState(folder);
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(join(folder, "thesis.txt"), "years of work");
  expect(() => emptyState(folder)).toThrow(StateError);
  expect(() => openState(folder)).toThrow(StateError);
  expect(readdirSync(folder)).toEqual(["thesis.txt"]);
});

it("has nothing to say of a folder that is not there", () => {
  emptyState(join(folder, "absent"));
  expect(existsSync(join(folder, "absent"))).toBe(false);
});

it("is held by one living process at a time", () => {
  openState(folder);
  holdState(folder);
  expect(() => holdState(folder)).toThrow(/in use by another server/);
  expect(() => emptyState(folder)).toThrow(/in use by a running server/);
  releaseState(folder);
  holdState(folder);
});

it("takes over from a process that died, even when its pid was given to another", () => {
  openState(folder);
  // Our own pid, as of a process that started at another time.
  writeFileSync(join(folder, "server.json"), JSON.stringify({ pid: process.pid, startedAt: "1" }));
  holdState(folder);
  expect(() => holdState(folder)).toThrow(StateError);
});
