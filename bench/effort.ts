/** How long a run may take. */
export type Effort = {
  readonly rounds: number;
  /** Calls of one contender in one turn. */
  readonly calls: number;
  /** Length of one turn of throughput. */
  readonly windowMs: number;
  /** Live agents in the measurements of many. */
  readonly agents: number;
  /** The late turn that is compared with a session's first. */
  readonly turn: number;
  /** What the identity measure has many of, beside one of each. */
  readonly keys: number;
  readonly tenants: number;
  /** Starts of each server. */
  readonly starts: number;
  /** Invocations open at the kill. */
  readonly inFlight: number;
  /** Invocations of the soak. */
  readonly soaked: number;
  /** Inputs of one batch. */
  readonly batched: number;
  /** Passages of the memory that is searched. */
  readonly recalled: number;
};

export const FULL: Effort = {
  rounds: 24,
  calls: 50,
  windowMs: 600,
  agents: 1000,
  turn: 1000,
  keys: 10_000,
  tenants: 1000,
  starts: 7,
  inFlight: 200,
  soaked: 100_000,
  batched: 5000,
  recalled: 10_000,
};

export const QUICK: Effort = {
  rounds: 6,
  calls: 25,
  windowMs: 300,
  agents: 100,
  turn: 100,
  keys: 1000,
  tenants: 100,
  starts: 2,
  inFlight: 50,
  soaked: 20_000,
  batched: 1000,
  recalled: 2500,
};
