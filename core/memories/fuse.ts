/**
 * Reciprocal rank fusion: two rankings that cannot be compared by their scores become one.
 *
 * @source Cormack, Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and
 *         individual Rank Learning Methods"; k = 60 is theirs.
 */
const K = 60;

export type Fused = {
  readonly n: number;
  readonly score: number;
  /** Place in each ranking, from 1; null where it is not in it. */
  readonly ranks: readonly (number | null)[];
};

/** @param rankings  Each best first, without repeats. Ties go to the higher `n`: the newer. */
export function fuse(rankings: readonly (readonly number[])[]): readonly Fused[] {
  const places = rankings.map((ranking) => new Map(ranking.map((n, i) => [n, i + 1])));
  const all = [...new Set(rankings.flat())];
  return all
    .map((n) => {
      const ranks = places.map((place) => place.get(n) ?? null);
      const score = ranks.reduce<number>((sum, rank) => sum + (rank ? 1 / (K + rank) : 0), 0);
      return { n, score, ranks };
    })
    .toSorted((a, b) => b.score - a.score || b.n - a.n);
}
