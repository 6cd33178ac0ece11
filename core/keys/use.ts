import type { KeyCode } from "./contract.ts";

/** How often something happened with a key on a UTC day. */
export type KeyUse = {
  readonly keyId: string;
  /** `2026-11-20`. */
  readonly day: string;
  readonly code: KeyCode;
  readonly count: number;
  readonly lastMs: number;
};
