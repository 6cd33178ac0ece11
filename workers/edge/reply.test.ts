import { HTTPException } from "hono/http-exception";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Problem, PROBLEMS, type ProblemCode } from "../../core/problem.ts";
import { errorResponse, problemResponse } from "./reply.ts";

const REQUEST = new Request("http://acme.localhost/v1/keys?secret=c4nary", {
  headers: { authorization: "Bearer c4nary" },
});

afterEach(() => {
  vi.restoreAllMocks();
});

it.each(Object.keys(PROBLEMS) as ProblemCode[])("%s has one status and one form", async (code) => {
  const answer = problemResponse({ code, detail: "why" }, "req_1");
  expect(answer.status).toBe(PROBLEMS[code].status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.headers.has("www-authenticate")).toBe(answer.status === 401);
  expect(await answer.json()).toMatchObject({
    code,
    detail: "why",
    title: PROBLEMS[code].title,
    request_id: "req_1",
  });
});

it.each([
  [1, "1"],
  [999, "1"],
  [1000, "1"],
  [1001, "2"],
  [0, "1"],
])("Retry-After rounds %d ms up to %s s, so that a retry is never too early", (ms, seconds) => {
  for (const code of ["rate_limited", "overloaded", "idempotency_in_progress"] as const) {
    const answer = problemResponse({ code, detail: "", retryAfterMs: ms }, "req_1");
    expect(answer.headers.get("retry-after")).toBe(seconds);
  }
});

describe("a defect", () => {
  const failed = Object.assign(
    new Error("Failed query: insert into key values (?)\nparams: c4nary"),
    { cause: new Error("D1_ERROR: too many\nparams: c4nary") },
  );

  it("is answered with nothing but the request's id, and logged as one line under it", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const answer = errorResponse(failed, "req_1", REQUEST);
    expect(answer.status).toBe(500);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ code: "internal", request_id: "req_1" });
    expect(text).not.toContain("query");
    expect(log).toHaveBeenCalledTimes(1);
    const line = String(log.mock.calls[0]?.[0]);
    expect(JSON.parse(line)).toMatchObject({ event: "defect", request_id: "req_1", method: "GET" });
    expect(line).not.toContain("c4nary");
  });

  it("may be anything that was thrown", () => {
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    for (const thrown of [undefined, null, "text", 7, {}, new Error("x")]) {
      expect(errorResponse(thrown, "req_1", REQUEST).status).toBe(500);
    }
  });

  it("is not what a refusal is, nor what the router refuses", () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect(errorResponse(new Problem("conflict", "x"), "req_1", REQUEST).status).toBe(409);
    expect(errorResponse(new HTTPException(400), "req_1", REQUEST).status).toBe(400);
    expect(log).not.toHaveBeenCalled();
  });
});
