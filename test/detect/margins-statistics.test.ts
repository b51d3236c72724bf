import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  digamma,
  fitGamma,
  gammaTail,
  logGamma,
  studentTail,
  trigamma,
} from '../../src/detect/distributions.ts';
import { marginVerdict, testMargins } from '../../src/detect/margin-test.ts';
import { type RandomStream, randomStream } from '../../src/random.ts';
import { cumulative } from './normal.ts';

/** A gamma variable of scale 1 and shape ≥ 1 (Marsaglia and Tsang 2000). */
function gammaDraw(random: RandomStream, shape: number): number {
  const d = shape - 1 / 3;
  for (;;) {
    const x = random.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random.next()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);

describe('the distributions', () => {
  it('have the gamma function and its slopes right', () => {
    for (let n = 1, factorial = 1; n <= 20; factorial *= n, n++) {
      expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 11);
    }
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
    expect(digamma(1)).toBeCloseTo(-0.5772156649015329, 11);
    expect(trigamma(1)).toBeCloseTo(Math.PI ** 2 / 6, 11);
  });

  it.each([0.1, 1, 5, 12, 40, 200])('have the gamma tail at %f right', (x) => {
    // A whole shape n is the time of the n-th event: fewer than n have happened by then.
    let [term, sum] = [Math.exp(-x), 0];
    for (let n = 1; n <= 30; n++) {
      sum += term;
      term *= x / n;
      expect(relative(gammaTail(x, n), sum)).toBeLessThan(1e-10);
    }
    expect(relative(gammaTail(x, 0.5), 2 * cumulative(-Math.sqrt(2 * x)))).toBeLessThan(1e-9);
  });

  it.each([0, 0.3, 1, 2.5, 8, 50])('have the tail of Student’s t at %f right', (t) => {
    expect(relative(studentTail(t, 1), Math.atan2(1, t) / Math.PI)).toBeLessThan(1e-10);
    const two = Math.sqrt(2 + t ** 2);
    expect(relative(studentTail(t, 2), 1 / (two * (two + t)))).toBeLessThan(1e-10);
    if (t < 3) expect(relative(studentTail(t, 1e6), cumulative(-t))).toBeLessThan(2e-5);
  });

  it('fit the gamma distribution that makes the values likeliest', () => {
    const draws = fc.array(fc.double({ min: 0.5, max: 90, noNaN: true }), { minLength: 4, maxLength: 20 });
    fc.assert(
      fc.property(draws, (values) => {
        fc.pre(Math.max(...values) > 1.01 * Math.min(...values));
        const { shape, scale } = fitGamma(values);
        const likelihood = (k: number, theta: number): number =>
          values.reduce((sum, v) => sum + (k - 1) * Math.log(v) - v / theta, 0) -
          values.length * (logGamma(k) + k * Math.log(theta));
        const best = likelihood(shape, scale);
        for (const factor of [0.9, 1.1]) {
          expect(likelihood(shape * factor, scale)).toBeLessThan(best);
          expect(likelihood(shape, scale * factor)).toBeLessThan(best);
          expect(likelihood(shape * factor, scale / factor)).toBeLessThan(best);
        }
      }),
      { numRuns: 100, seed: 1 },
    );
  });
});

describe('the test of margins', () => {
  it.each([
    { classes: 5, shape: 2 },
    { classes: 10, shape: 2 },
    { classes: 10, shape: 30 },
    { classes: 43, shape: 8 },
  ])('raises as few false alarms as it says with $classes classes, shape $shape', ({ classes, shape }) => {
    const random = randomStream(1, classes, shape);
    const draws = 2000;
    const tests = Array.from({ length: draws }, () =>
      testMargins(Array.from({ length: classes }, () => gammaDraw(random, shape))),
    );
    const share = (rate: number): number => tests.filter(({ pValue }) => pValue! < rate).length / draws;
    // Three standard errors.
    expect(Math.abs(share(0.05) - 0.05)).toBeLessThan(0.015);
    expect(Math.abs(share(0.01) - 0.01)).toBeLessThan(0.007);
    // The published p-value is too small for few classes; the text of the module states by how much.
    const published = tests.filter(({ publishedPValue }) => publishedPValue! < 0.05).length / draws;
    const expected = { 5: 0.43, 10: 0.25, 43: 0.12 }[classes]!;
    expect(Math.abs(published - expected)).toBeLessThan(0.03);
  });

  const margins = fc.array(fc.double({ min: 1, max: 100, noNaN: true }), { minLength: 5, maxLength: 40 });
  const spread = (values: readonly number[]): boolean => {
    const others = values.toSorted((a, b) => a - b).slice(0, -1);
    return others.at(-1)! > 1.05 * others[0]!;
  };

  it('depends neither on the unit nor on the order of the margins', () => {
    fc.assert(
      fc.property(margins, fc.double({ min: 0.01, max: 1000, noNaN: true }), (values, unit) => {
        fc.pre(spread(values));
        const plain = testMargins(values);
        const other = testMargins(values.map((v) => unit * v).toReversed());
        expect(other.pValue! - plain.pValue!).toBeCloseTo(0, 8);
        expect(other.publishedPValue! - plain.publishedPValue!).toBeCloseTo(0, 6);
      }),
      { numRuns: 200, seed: 2 },
    );
  });

  it('has probabilities as p-values, which fall as the largest margin rises', () => {
    fc.assert(
      fc.property(margins, (values) => {
        fc.pre(spread(values));
        const { largest, pValue, publishedPValue } = testMargins(values);
        expect(values[largest]).toBe(Math.max(...values));
        const raised = testMargins(values.with(largest, 1.2 * values[largest]!));
        for (const p of [pValue!, publishedPValue!]) expect(p >= 0 && p <= 1).toBe(true);
        expect(raised.largest).toBe(largest);
        expect(raised.pValue).toBeLessThanOrEqual(pValue!);
        expect(raised.publishedPValue).toBeLessThanOrEqual(publishedPValue!);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  it('finds a margin twice the size of all others', () => {
    const test = testMargins([17.1, 18.3, 26.2, 27.6, 26.3, 24.8, 19.2, 49.9, 24.9, 18.3]);
    expect(test).toMatchObject({ classes: 10, largest: 7, untested: null });
    // 10 · P(t ≥ 4.05) with 8 degrees of freedom, from cube roots.
    expect(test.pValue).toBeCloseTo(0.0086, 4);
    expect(test.publishedPValue).toBeLessThan(1e-5);
    expect(marginVerdict(test)).toBe('stands-out');
    expect(marginVerdict(test, 0.001)).toBe('none-stands-out');
  });

  it('lets two large margins hide each other, and names the first', () => {
    const test = testMargins([10, 12, 11, 13, 9, 40, 40]);
    expect(test.largest).toBe(5);
    expect(test.pValue).toBeGreaterThan(0.3);
  });

  it('is not made with fewer than five classes, or where all others are equal', () => {
    const none = { pValue: null, publishedPValue: null };
    expect(testMargins([3, 4, 5, 60])).toMatchObject({ ...none, untested: 'few-classes' });
    expect(testMargins([5, 5, 5, 5, 5])).toMatchObject({ ...none, untested: 'no-spread', largest: 0 });
    const flat = testMargins([5, 5, 5, 5.0001, 9]);
    expect(flat).toMatchObject({ ...none, untested: 'no-spread', largest: 4 });
    expect(marginVerdict(flat)).toBe('untested');
  });

  it('takes margins of classes that were never reached, which the published test cannot', () => {
    const test = testMargins([-3, 18, 21, 19, 0, 24, 22]);
    expect(test.pValue).toBeGreaterThan(0.5);
    expect(test.publishedPValue).toBeNull();
  });

  it.each([[[]], [[1, 2, Number.NaN, 3, 4]], [[1, 2, Number.POSITIVE_INFINITY, 3, 4]]])(
    'refuses %j',
    (values) => {
      expect(() => testMargins(values)).toThrow(expect.objectContaining({ code: 'MARGINS_INVALID' }));
    },
  );
});
