import type { Price, TokenUsage } from "./contract.ts";
import { PRICES } from "./prices.generated.ts";

const PER_MILLION = 1_000_000n;

/**
 * What a call costs, in whole micro-USD, rounded up once over input and output together.
 *
 * Counted in bigints: the product of tokens and price leaves the safe integers long before money does.
 *
 * @param price  `undefined` for a model nobody has a price for: costs 0 (the release says so by
 *               carrying none).
 */
export function costMicros(
  usage: Pick<TokenUsage, "inputTokens" | "outputTokens">,
  price: Price | undefined,
): number {
  if (price === undefined) return 0;
  const owed =
    BigInt(usage.inputTokens) * BigInt(price.inputPerMillion) +
    BigInt(usage.outputTokens) * BigInt(price.outputPerMillion);
  return Number((owed + PER_MILLION - 1n) / PER_MILLION);
}

/**
 * List price of `provider/model`, or `undefined` when the table has none. A tenant's own provider
 * has the list price when its slug is that of a known vendor (`openai`, `anthropic`, `groq`, …).
 *
 * @source @pydantic/genai-prices, see tools/prices.ts
 */
export function priceOf(ref: string): Price | undefined {
  const price = listed(ref) ?? listed(ref.replace(DATED, ""));
  return price && { inputPerMillion: price[0], outputPerMillion: price[1] };
}

/** A pinned or moving name costs what its stem costs: `gpt-4o-2024-08-06`, `…-20250929`, `-latest`. */
const DATED = /-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$/;

function listed(ref: string): readonly [number, number] | undefined {
  return Object.hasOwn(PRICES, ref) ? PRICES[ref] : undefined;
}
