import type { Contender, Product, World } from "../world.ts";

/** Floor and product side by side, both running. */
export type Pair = {
  readonly world: World;
  readonly floor: Contender;
  readonly product: Product;
};
