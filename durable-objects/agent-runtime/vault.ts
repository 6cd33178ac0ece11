import type { Release, ReleaseProvider } from "../../core/deployments/release.ts";
import { SealFailure, type Sealer } from "../../core/seal/contract.ts";
import type { SealedSecret } from "../../core/secrets/contract.ts";
import { createSealer, createTenantSealer } from "../../core/seal/seal.ts";
import { createRedactor, type Redactor } from "../../core/secrets/redact.ts";
import { aead } from "../aead.ts";
import { secretUses } from "./secret-uses.ts";
import { configOf } from "./settings.ts";

/**
 * The secrets of a release, to be opened where it runs.
 *
 * @param given  Values of the configuration that its models are called with.
 */
export function vaultOf(release: Release, env: Env, given: readonly string[] = []): Vault {
  const master = createSealer(aead, configOf(env).masterKeys);
  const sealer = createTenantSealer(aead, master, release.tenantId, release.dataKeys ?? []);
  return new Vault(release, sealer, given, secretUses(env, release));
}

/**
 * The secrets of one release, in clear in this object's memory and nowhere else. Opened at their
 * first use and kept: AES is cheap, but a call's headers are made for every call.
 */
export class Vault {
  readonly #release: Release;
  readonly #sealer: Sealer;
  /** Values of the configuration that its models are called with. */
  readonly #given: readonly string[];
  readonly #used: (secretId: string) => void;
  readonly #open = new Map<string, string>();
  #redactor: Redactor | undefined;

  constructor(
    release: Release,
    sealer: Sealer,
    given: readonly string[],
    used: (secretId: string) => void,
  ) {
    this.#release = release;
    this.#sealer = sealer;
    this.#given = given;
    this.#used = used;
  }

  /** Is there anything that must not be repeated? */
  get empty(): boolean {
    const { providers, secrets = [] } = this.#release;
    return (
      this.#given.length === 0 &&
      secrets.length === 0 &&
      providers.every(({ sealedKey }) => sealedKey === null)
    );
  }

  /**
   * The value of a named secret; undefined when it was deleted.
   *
   * @throws SealFailure
   */
  value(name: string): string | undefined {
    const secret = this.#release.secrets?.find((it) => it.name === name);
    return secret && this.#version(secret);
  }

  /** The same, for a call that is about to be made with it; also undefined when it does not open. */
  take(name: string): string | undefined {
    this.note(name);
    return unlessSealed(() => this.value(name));
  }

  /** A call is made with this secret. */
  note(name: string): void {
    const secret = this.#release.secrets?.find((it) => it.name === name);
    if (secret !== undefined) this.#used(secret.id);
  }

  /** A provider's own sealed key. @throws SealFailure */
  key(provider: ReleaseProvider): string | null {
    if (provider.sealedKey === null) return null;
    const { tenantId } = this.#release;
    return this.#opened({ tenantId, kind: "provider", id: provider.id }, provider.sealedKey);
  }

  /** Takes every value of this release out of text. What does not open cannot have been sent. */
  readonly redactor = (): Redactor => {
    if (this.#redactor !== undefined) return this.#redactor;
    const { providers, secrets = [] } = this.#release;
    const values = [...this.#given, ...providers.map((it) => unlessSealed(() => this.key(it)))];
    for (const secret of secrets) {
      values.push(unlessSealed(() => this.#version(secret)));
      for (const past of secret.earlier) values.push(unlessSealed(() => this.#version(past)));
    }
    this.#redactor = createRedactor(values.filter((value) => typeof value === "string"));
    return this.#redactor;
  };

  #version(of: Pick<SealedSecret, "versionId" | "sealed">): string {
    const { tenantId } = this.#release;
    return this.#opened({ tenantId, kind: "secret", id: of.versionId }, of.sealed);
  }

  #opened(place: Parameters<Sealer["open"]>[0], sealed: string): string {
    const value = this.#open.get(sealed) ?? this.#sealer.open(place, sealed);
    this.#open.set(sealed, value);
    return value;
  }
}

function unlessSealed<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof SealFailure) return undefined;
    throw error;
  }
}
