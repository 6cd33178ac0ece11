/** Contenders measured in turn, so that a machine that slows down slows all of them. */
import { median } from "./statistics.ts";

/** `samples[contender][round]`. */
export type Samples = readonly (readonly (readonly number[])[])[];

/**
 * Each contender once a round; who begins moves on with the round.
 *
 * @param rest  Awaited after each turn, so that what one contender still does in the background is
 *              over when the next one begins.
 */
export async function inTurns(
  rounds: number,
  contenders: readonly (() => Promise<readonly number[]>)[],
  rest: () => Promise<void> = async () => {},
): Promise<Samples> {
  const samples: (readonly number[])[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const at = (turn + round) % contenders.length;
      const measured = await contenders[at]?.();
      if (measured !== undefined) samples[at]?.push(measured);
      await rest();
    }
  }
  return samples;
}

/** All of one contender's samples. */
export function all(samples: Samples, contender: number): readonly number[] {
  return (samples[contender] ?? []).flat();
}

/** One number a round. */
export function perRound(
  samples: Samples,
  contender: number,
  summary: (round: readonly number[]) => number = median,
): readonly number[] {
  return (samples[contender] ?? []).map(summary);
}
