import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pValueOfLargestIndex, thresholdFor } from '../../src/detect/calibration.ts';
import { consistencyConstant, median, scaledMad } from '../../src/detect/statistics.ts';
import { cumulative, normals } from './normal.ts';

/** The largest low-side indices of simulated clean models, by the definition. */
function simulate(labels: number, models: number, seed: number): number[] {
  const normal = normals(seed);
  return Array.from({ length: models }, () => {
    const values = Array.from({ length: labels }, normal);
    const centre = median(values);
    return (centre - Math.min(...values)) / scaledMad(values, centre);
  });
}

const share = (indices: readonly number[], above: number): number =>
  indices.filter((index) => index > above).length / indices.length;

/**
 * P(largest index > t) for an odd number K = 2n + 1 of labels and t ≥ 1, by integration over median m and MAD
 * d.
 *
 * One value is at m and one at m − d or m + d. Of the others, n − 1 lie inside (m − d, m + d) and n outside;
 * j of those are on the low side, and all of these must stay above m − 1.4826·t·d for the index to stay below
 * t.
 */
function exceedance(labels: number, t: number): number {
  const n = (labels - 1) / 2;
  const logFactorial = [0];
  for (let k = 1; k <= labels; k++) logFactorial.push(logFactorial[k - 1]! + Math.log(k));
  const arrangements = (...counts: number[]): number =>
    counts.reduce((sum, count) => sum - logFactorial[count]!, logFactorial[labels]!);
  const logDensity = (x: number): number => -(x * x) / 2 - Math.log(2 * Math.PI) / 2;

  const [mStep, uStep] = [0.06, 0.04];
  let total = 0;
  for (let m = -3; m <= 3; m += mStep) {
    const centre = cumulative(m);
    for (let u = -11; u <= 1.3; u += uStep) {
      const d = Math.exp(u);
      const [below, above] = [cumulative(m - d), cumulative(-m - d)];
      const [logBelow, logAbove] = [Math.log(below), Math.log(above)];
      const [insideLow, insideHigh] = [Math.log(centre - below), Math.log(1 - above - centre)];
      const beyond = cumulative(m - consistencyConstant * t * d) / below;
      for (let j = 1; j <= n; j++) {
        const outside = j * logBelow + (n - j) * logAbove + Math.log(-Math.expm1(j * Math.log1p(-beyond)));
        const base = logDensity(m) + outside + u;
        if (j < n) {
          const ways = arrangements(n - 1 - j, j, j, n - j);
          total += Math.exp(base + ways + logDensity(m - d) + (n - 1 - j) * insideLow + j * insideHigh);
        }
        const ways = arrangements(n - j, j - 1, j, n - j);
        total += Math.exp(base + ways + logDensity(m + d) + (n - j) * insideLow + (j - 1) * insideHigh);
      }
    }
  }
  return total * mStep * uStep;
}

describe('the known figures for a fixed threshold', () => {
  it.each([
    [10, 0.33, 3.9],
    [43, 0.64, 3.5],
  ])(
    '%i labels: an index of 2 is passed by %f of clean models, and %f by a twentieth',
    (labels, rate, threshold) => {
      const indices = simulate(labels, 20_000, labels);
      // Three standard errors: 1 point at a half, 0.5 points at 5 %.
      expect(share(indices, 2)).toBeCloseTo(rate, 1.7);
      expect(Math.abs(pValueOfLargestIndex(2, labels) - share(indices, 2))).toBeLessThan(0.015);
      expect(thresholdFor(labels, 0.05)).toBeCloseTo(threshold, 1);
      expect(share(indices, thresholdFor(labels, 0.05))).toBeCloseTo(0.05, 2);
      expect(share(indices, thresholdFor(labels, 0.01))).toBeCloseTo(0.01, 2.2);
    },
  );
});

describe('p-values', () => {
  it.each([
    [5, [1.5, 3, 10, 50, 200]],
    [7, [1.5, 3, 10, 40]],
    [11, [1.5, 2, 4, 8, 20]],
    [23, [2, 3, 5, 9]],
    [43, [2, 3, 4, 5, 7]],
    [101, [2, 3, 4, 6]],
  ])('agree with the exact integral for %i labels', (labels, indices) => {
    for (const index of indices) {
      const exact = exceedance(labels, index);
      const error = Math.abs(pValueOfLargestIndex(index, labels) / exact - 1);
      expect(error, `index ${index}, P ${exact}`).toBeLessThan(exact > 0.001 ? 0.05 : 0.15);
    }
  });

  it.each([
    [12, 3, 33],
    [30, 3.5, 34],
    [200, 3.2, 35],
    [700, 3.6, 36],
  ])('agree with a simulation between the tabulated counts: %i labels', (labels, index, seed) => {
    const models = Math.round(600_000 / labels);
    const seen = share(simulate(labels, models, seed), index);
    const error = 4 * Math.sqrt(seen / models);
    expect(Math.abs(pValueOfLargestIndex(index, labels) - seen)).toBeLessThan(error);
  });

  it('approach those of a known spread for many labels', () => {
    for (const labels of [10_001, 21_841, 100_000]) {
      for (const index of [4.4, 5]) {
        const known = -Math.expm1(labels * Math.log1p(-cumulative(-index)));
        expect(pValueOfLargestIndex(index, labels) / known).toBeGreaterThan(1);
        expect(pValueOfLargestIndex(index, labels) / known).toBeLessThan(1.25);
      }
    }
  });

  it('are rather too large than too small beyond the simulated rates', () => {
    for (const [labels, index] of [
      [11, 60],
      [23, 30],
      [43, 11],
      [101, 9],
    ] as const) {
      const stated = pValueOfLargestIndex(index, labels);
      expect(stated).toBeLessThan(1e-5);
      expect(stated).toBeGreaterThan(0.85 * exceedance(labels, index));
    }
  });

  it('are 1 for the indices of ordinary labels, and 0 only at infinity', () => {
    for (const index of [Number.NEGATIVE_INFINITY, -3, 0, 0.1, Number.NaN])
      expect(pValueOfLargestIndex(index, 20)).toBe(1);
    expect(pValueOfLargestIndex(1e6, 3000)).toBeGreaterThan(0);
    expect(pValueOfLargestIndex(Number.POSITIVE_INFINITY, 20)).toBe(0);
  });

  const labels = fc.integer({ min: 5, max: 5000 });
  const runs = { seed: 5, numRuns: 300 };

  it('fall with the index and rise with the false-alarm rate', () => {
    fc.assert(
      fc.property(
        labels,
        fc.double({ min: 0.2, max: 100, noNaN: true }),
        fc.double({ min: 1.001, max: 3, noNaN: true }),
        (k, t, f) => {
          const [small, large] = [pValueOfLargestIndex(t, k), pValueOfLargestIndex(t * f, k)];
          expect(large).toBeGreaterThan(0);
          expect(small).toBeLessThanOrEqual(1);
          expect(small === 1 ? large <= 1 : large < small).toBe(true);
        },
      ),
      runs,
    );
  });

  it('invert thresholds', () => {
    fc.assert(
      fc.property(labels, fc.double({ min: -16, max: Math.log(0.98), noNaN: true }), (k, logRate) => {
        const rate = Math.exp(logRate);
        expect(pValueOfLargestIndex(thresholdFor(k, rate), k) / rate).toBeCloseTo(1, 6);
      }),
      runs,
    );
  });
});

it.each([0, -0.1, 0.995, 1, Number.NaN])('refuses a false-alarm rate of %f', (rate) => {
  expect(() => thresholdFor(10, rate)).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }));
});

it.each([0, 4, 10.5, Number.NaN])('refuses %f labels', (labels) => {
  const refused = expect.objectContaining({ code: 'SETTING_INVALID' });
  expect(() => thresholdFor(labels, 0.05)).toThrow(refused);
  expect(() => pValueOfLargestIndex(3, labels)).toThrow(refused);
});
