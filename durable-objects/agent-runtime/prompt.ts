import type { ModelMessage, ModelRequest } from "../../core/models/contract.ts";
import { costMicros } from "../../core/models/cost.ts";
import { estimateInputTokens } from "../../core/models/usage.ts";
import type { Kernel, LlmClaim } from "./kernel.ts";
import type { LlmInstalled } from "./releases.ts";
import { recalledIn } from "./memory/recall-step.ts";
import { quotablePassages, toldPassages } from "./memory/told.ts";
import { historyBefore } from "./sessions.ts";

/** Where a turn stands, and what was said in it. */
export type Place = Pick<LlmClaim, "id" | "sessionId" | "turn" | "installed" | "input" | "branch">;

/** The provider whose model searches and quotes passages itself. */
const LOCAL = "local/";

/** The output bound assumed for a model whose spec sets none, when money is reserved. */
const ASSUMED_OUTPUT_TOKENS = 4096;

/**
 * What model call `i` of a turn is asked: history, the turn's input and what the turn has produced
 * so far. Everything in it comes from storage and the pinned release, so a re-execution builds the
 * same request and its hash can be compared.
 */
export function requestFor(
  kernel: Pick<Kernel, "sql">,
  place: Place,
  ref: string,
  i: number,
  produced: readonly ModelMessage[],
): ModelRequest {
  const { installed } = place;
  const system = installed.system(ref);
  const { sessionId, turn } = place.branch?.before ?? place;
  const messages: ModelMessage[] = system === "" ? [] : [{ role: "system", content: system }];
  const passages = installed.memory && recalledIn(kernel, place.id)?.passages;
  const quotes = passages !== undefined && ref.startsWith(LOCAL);
  if (passages?.length && !quotes) messages.push(toldPassages(passages));
  messages.push(
    ...historyBefore(kernel.sql, sessionId, turn, installed.spec.history),
    ...place.input,
    ...produced,
  );
  return {
    model: ref.slice(ref.indexOf("/") + 1),
    messages,
    tools: installed.offers,
    parameters: installed.spec.parameters,
    idempotencyKey: `${place.id}/model.${i}`,
    ...(quotes && { passages: quotablePassages(passages) }),
  };
}

export function hashOf(kernel: Pick<Kernel, "sha256">, request: ModelRequest): string {
  const { model, messages, parameters, passages } = request;
  const asked = [model, messages, parameters];
  return kernel.sha256(JSON.stringify(passages ? [...asked, passages] : asked));
}

/** The most a call can cost in micro-USD at the model's price, rounded up; 0 without a price. */
export function worstCaseMicros(
  installed: LlmInstalled,
  ref: string,
  request: ModelRequest,
): number {
  const outputTokens = request.parameters.max_output_tokens ?? ASSUMED_OUTPUT_TOKENS;
  const usage = { inputTokens: estimateInputTokens(request), outputTokens };
  return costMicros(usage, installed.price(ref));
}
