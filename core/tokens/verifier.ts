import type { Config } from "../config.ts";
import type { Principal } from "../principals/contract.ts";
import { Problem } from "../problem.ts";

export class TokenVerifier {
  constructor(_config: Config) {}
  verify(_text: string, _at: unknown): Principal | Promise<Principal> {
    throw new Problem("invalid_token", "the credential is not valid here");
  }
}
