/** The normal distribution: draws, probabilities, quantiles. */

import { generator } from '../support/gradient-check.ts';

/** Standard normals by the Box-Muller transform. */
export function normals(seed: number): () => number {
  const random = generator(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Φ(x) to about 1e-15 of the value: a series near 0 and a continued fraction in the tails (Abramowitz and
 * Stegun 26.2).
 */
export function cumulative(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 3) {
    let [term, sum] = [x, x];
    for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
      term *= (x * x) / k;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let fraction = Math.abs(x);
  for (let k = 60; k >= 1; k--) fraction = Math.abs(x) + k / fraction;
  return x < 0 ? density / fraction : 1 - density / fraction;
}

/** Φ⁻¹(p) by Newton's method, which from 0 never oversteps, as Φ is convex below 0. */
export function quantile(p: number): number {
  if (p > 0.5) return -quantile(1 - p);
  let x = 0;
  for (let i = 0; i < 20; i++) x -= ((cumulative(x) - p) / Math.exp((-x * x) / 2)) * Math.sqrt(2 * Math.PI);
  return x;
}
