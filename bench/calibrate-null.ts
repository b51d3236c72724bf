/**
 * Makes src/detect/null-quantiles.ts: how large the largest anomaly index of a clean model is, by number of
 * labels.
 *
 * The null: K independent normal log L1 norms, index = (median − min) / (1.4826 · MAD). Location and scale
 * cancel. A plain simulation would need billions of draws to see one model in 100,000, so each draw gives a
 * probability instead of a yes or no: median and MAD depend on the inner half of the values alone, and given
 * these, the j values that lie beyond the inner half on the low side are independent normals cut off there.
 * Hence
 *   P(index > t | draw) = 1 − (1 − Φ(med − 1.4826·MAD·t) / Φ(edge))^j,   edge = med − largest inner deviation.
 *
 * Run: npx tsx bench/calibrate-null.ts, then format the file it writes. Takes about 15 minutes.
 */

import { writeFileSync } from 'node:fs';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

const seed = 20190519;
const draws = { total: 3e7, least: 2e4, most: 2e6 };
const consistencyConstant = 1.4826;

/**
 * Rates whose quantiles are kept: dense enough that what calibration.ts draws between them is within 2 % of
 * the simulated rate.
 */
const rates = [
  0.99, 0.97, 0.9, 0.75, 0.6, 0.45, 0.3, 0.2, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025, 0.001, 3e-4, 1e-4, 3e-5,
  1e-5,
];

/**
 * Every count up to 24, where odd and even ones differ most; odd ones beyond, whose quantiles are slightly
 * the larger.
 */
const labelCounts = [
  ...Array.from({ length: 20 }, (_, i) => i + 5),
  ...[25, 29, 33, 37, 43, 51, 65, 81, 101, 141, 201, 301, 501, 1001, 2001, 3001, 10001],
];

/** Points of t at which exceedance is added up; quantiles are read off between them. */
const grid = Array.from({ length: 300 }, (_, i) => 0.3 * 1.03 ** i);

/** P(largest index > t) at each point of the grid. */
function exceedance(labels: number): Float64Array {
  const normal = normals(seed + labels);
  const values = new Float64Array(labels);
  const deviations = new Float64Array(labels);
  const half = labels >> 1;
  const middle = (sorted: Float64Array): number =>
    labels % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  const count = Math.min(draws.most, Math.max(draws.least, Math.round(draws.total / labels)));
  const sums = new Float64Array(grid.length);
  for (let draw = 0; draw < count; draw++) {
    for (let i = 0; i < labels; i++) values[i] = normal();
    values.sort();
    const median = middle(values);
    for (let i = 0; i < labels; i++) deviations[i] = Math.abs(values[i]! - median);
    deviations.sort();
    const unit = consistencyConstant * middle(deviations);
    const edge = median - deviations[half]!;
    let outer = 0;
    while (values[outer]! < edge) outer++;
    const below = lowerTail(edge);
    for (const [i, t] of grid.entries()) {
      const bound = median - unit * t;
      const p =
        bound < edge
          ? -Math.expm1(outer * Math.log1p(-lowerTail(bound) / below))
          : outer > 0 || values[0]! < bound
            ? 1
            : 0;
      if (p < 1e-12) break;
      sums[i]! += p;
    }
  }
  return sums.map((sum) => sum / count);
}

/** Where the exceedance falls through `rate`: a straight line between grid points in log t and log P. */
function quantile(exceeded: Float64Array, rate: number): number {
  const i = exceeded.findIndex((p) => p < rate);
  const [before, after] = [Math.log(exceeded[i - 1]!), Math.log(exceeded[i]!)];
  const part = (Math.log(rate) - before) / (after - before);
  return grid[i - 1]! * (grid[i]! / grid[i - 1]!) ** part;
}

/** Standard normals by Marsaglia's polar method. */
function normals(seed: number): () => number {
  const bits = xoroshiro128plus(seed);
  const uniform = (): number => bits.next() / 2 ** 31;
  let spare: number | undefined;
  return () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const [u, v] = [uniform(), uniform()];
      const square = u * u + v * v;
      if (square === 0 || square >= 1) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = v * factor;
      return u * factor;
    }
  };
}

const tailCoefficients = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
  1.00002368, -1.26551223,
];

/**
 * Φ(x), to a relative error of 1.2e-7 also far down the lower tail (Press et al., Numerical Recipes, erfcc).
 */
function lowerTail(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + z / 2);
  let sum = 0;
  for (const coefficient of tailCoefficients) sum = sum * t + coefficient;
  const half = (t * Math.exp(-z * z + sum)) / 2;
  return x < 0 ? half : 1 - half;
}

const rows = labelCounts.map((labels) => {
  const exceeded = exceedance(labels);
  const row = [labels, ...rates.map((rate) => Number(quantile(exceeded, rate).toPrecision(4)))];
  console.error(row.join(' '));
  return row;
});

writeFileSync(
  'src/detect/null-quantiles.ts',
  `/** Generated by bench/calibrate-null.ts (seed ${seed}); do not edit. */

// biome-ignore-all lint/suspicious/noApproximativeNumericConstant: these are simulated figures

/** P(largest anomaly index of a clean model > quantile). */
export const nullRates: readonly number[] = ${JSON.stringify(rates)};

/** Number of labels, then the quantile for each rate. */
export const nullQuantiles: readonly (readonly number[])[] = [
${rows.map((row) => `  ${JSON.stringify(row)},`).join('\n')}
];
`,
);
