/**
 * The print of RSA moduli made by one widespread broken generator: modulo each of these primes they
 * are a power of 65537. By chance that happens to one modulus in about 2^27.
 *
 * @source CVE-2017-15361; Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, §2.3.
 */
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157] as const;
const GENERATOR = 65_537;

const POWERS: readonly (readonly [number, ReadonlySet<number>])[] = PRIMES.map((prime) => {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power);
  return [prime, powers];
});

export function rocaPrint(modulus: Uint8Array): boolean {
  return POWERS.every(([prime, powers]) => powers.has(remainder(modulus, prime)));
}

function remainder(bigEndian: Uint8Array, prime: number): number {
  return bigEndian.reduce((rest, byte) => (rest * 256 + byte) % prime, 0);
}
