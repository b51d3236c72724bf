/** Median and median absolute deviation. */

/**
 * Makes the MAD of normal values estimate their standard deviation: 1 / Φ⁻¹(3/4), rounded as everywhere in
 * this field.
 */
export const consistencyConstant = 1.4826;

/**
 * The middle value, or the mean of the two middle ones; NaN for no values. Infinite values rank as they
 * should.
 */
export function median(values: Iterable<number>): number {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** 1.4826 · median(|x − centre|). */
export const scaledMad = (values: readonly number[], centre: number): number =>
  consistencyConstant * median(values.map((value) => Math.abs(value - centre)));
