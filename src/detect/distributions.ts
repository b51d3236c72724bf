/** The tails of two distributions, to ten digits, and the gamma distribution that fits best. */

/** Where sums and fractions stop: what follows changes nothing any more. */
const precision = 1e-15;

/** ln Γ(x) for x > 0: Stirling's series (DLMF 5.11.1), after the recurrence has moved x to where it is exact. */
export function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 12; z++) shift += Math.log(z);
  const w = 1 / z ** 2;
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** ψ(x), the slope of ln Γ, for x > 0 (DLMF 5.11.2). */
export function digamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 12; z++) shift += 1 / z;
  const w = 1 / z ** 2;
  return Math.log(z) - 1 / (2 * z) - w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w / 240))) - shift;
}

/** ψ′(x) for x > 0 (DLMF 5.15.8). */
export function trigamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 12; z++) shift += 1 / z ** 2;
  const w = 1 / z ** 2;
  return (1 + 1 / (2 * z) + w * (1 / 6 - w * (1 / 30 - w * (1 / 42 - w / 30)))) / z + shift;
}

export interface GammaFit {
  readonly shape: number;
  readonly scale: number;
}

/**
 * The gamma distribution of maximum likelihood, by Newton's method on 1/shape (Minka, "Estimating a Gamma distribution", 2002).
 *
 * @param values > 0, not all equal
 */
export function fitGamma(values: readonly number[]): GammaFit {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  // ln mean − mean ln, as a sum of terms that are all near 0 for values that lie close together.
  const excess = -values.reduce((sum, value) => sum + Math.log1p((value - mean) / mean), 0) / values.length;
  let shape = 0.5 / excess;
  for (let i = 0; i < 50; i++) {
    const slope = shape ** 2 * (1 / shape - trigamma(shape));
    const next = 1 / (1 / shape + (Math.log(shape) - digamma(shape) - excess) / slope);
    const settled = Math.abs(next - shape) <= 1e-12 * shape;
    shape = next;
    if (settled) break;
  }
  return { shape, scale: mean / shape };
}

/** P(X ≥ x) for a gamma variable of scale 1 (DLMF 8.7.1 and 8.9.2). @param x ≥ 0 */
export function gammaTail(x: number, shape: number): number {
  if (x <= 0) return 1;
  const density = Math.exp(shape * Math.log(x) - x - logGamma(shape));
  if (x < shape + 1) {
    let term = 1 / shape;
    let sum = term;
    for (let k = 1; term > precision * sum; k++) {
      term *= x / (shape + k);
      sum += term;
    }
    return Math.max(0, 1 - density * sum);
  }
  return (
    density *
    continuedFraction(
      (k) => (k === 0 ? 1 : -k * (k - shape)),
      (k) => x + 2 * k + 1 - shape,
    )
  );
}

/** P(T ≥ t) for Student's t, as an incomplete beta function (DLMF 8.17.22). @param t ≥ 0 @param freedom > 0 */
export function studentTail(t: number, freedom: number): number {
  const x = freedom / (freedom + t ** 2);
  return incompleteBeta(x, freedom / 2, 0.5) / 2;
}

/** I_x(a, b), the share of the beta function below x. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  // The fraction converges fast only up to about the mean; beyond, the other side is computed.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front =
    Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  return (
    front *
    continuedFraction(
      (k) => {
        if (k === 0) return 1;
        const m = k >> 1;
        return k % 2 === 0
          ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
          : (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      },
      () => 1,
    )
  );
}

/** `n₀ / (d₀ + n₁ / (d₁ + n₂ / (d₂ + …)))` by Lentz's method (DLMF 3.10). */
function continuedFraction(numerator: (k: number) => number, denominator: (k: number) => number): number {
  const tiny = 1e-300;
  let below = tiny;
  let value = tiny;
  let ratio = 0;
  for (let k = 0; k < 100_000; k++) {
    ratio = 1 / notZero(denominator(k) + numerator(k) * ratio, tiny);
    below = notZero(denominator(k) + numerator(k) / below, tiny);
    const factor = below * ratio;
    value *= factor;
    if (k > 0 && Math.abs(factor - 1) < precision) break;
  }
  return value;
}

const notZero = (value: number, tiny: number): number => (value === 0 ? tiny : value);
