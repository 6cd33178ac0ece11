/**
 * Vectors as rows keep them: one character a number.
 *
 * Scaled so that the largest is ±111 and moved to the characters 33–255: a string of one byte each
 * in memory, which every export and every JSON can carry. Against the exact cosine the error is
 * below 0.01 (memories.test.ts).
 */
const LEVELS = 111;
const ZERO = 144;

/** Empty for a vector of nothing but zeros: it is close to nothing. */
export function packVector(vector: Float32Array): string {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return "";
  let text = "";
  for (const value of vector) {
    text += String.fromCharCode(ZERO + Math.round((value / largest) * LEVELS));
  }
  return text;
}

/** How close packed vectors are to one: the cosine; 0 for one of another length. */
export function nearTo(query: Float32Array): (packed: string) => number {
  const asked = Float64Array.from(query);
  const size = Math.sqrt(asked.reduce((sum, value) => sum + value * value, 0));
  return (packed) => {
    if (packed.length !== asked.length) return 0;
    let dot = 0;
    let norm = 0;
    for (let i = 0; i < packed.length; i += 1) {
      const value = packed.charCodeAt(i) - ZERO;
      dot += (asked[i] ?? 0) * value;
      norm += value * value;
    }
    return dot === 0 ? 0 : dot / (size * Math.sqrt(norm));
  };
}
