import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { thresholdFor } from '../../src/detect/calibration.ts';
import { findOutliers, formatOriginal, type LabelNorm, madOutliers } from '../../src/detect/outliers.ts';
import { generator } from '../support/gradient-check.ts';
import { normals } from './normal.ts';

const norms = (...l1: number[]): LabelNorm[] => l1.map((norm, label) => ({ label, l1: norm }));

describe("the original's test", () => {
  it('prints what the original printed for its infected GTSRB model', () => {
    // 43 norms with the published median, MAD and smallest norm; label 33 is the infected one.
    const [median, deviation] = [64.466667, 13.238736 / 1.4826];
    const l1 = Array.from({ length: 43 }, (_, label) => {
      if (label === 33) return 16.117647;
      if (label === 0) return median;
      const side = label % 2 === 0 ? 1 : -1;
      return median + side * deviation * (label <= 20 ? 0.5 : label <= 22 ? 1 : 1.5);
    });
    expect(formatOriginal(madOutliers(l1)).split('\n')).toEqual([
      'median: 64.466667, MAD: 13.238736',
      'anomaly index: 3.652087',
      'flagged label list: 33: 16.117647',
    ]);
  });

  it('agrees with a hand calculation', () => {
    // Median 60; deviations 50 10 5 0 5 10 50, their median 10.
    const result = madOutliers([10, 50, 55, 60, 65, 70, 110]);
    expect(result.median).toBe(60);
    expect(result.mad).toBeCloseTo(14.826, 12);
    expect(result.anomalyIndex).toBeCloseTo(50 / 14.826, 12);
    // 110 deviates as much, but on the high side.
    expect(result.flagged).toEqual([{ label: 0, l1: 10 }]);
  });

  it('lists flagged labels by norm, under the labels given', () => {
    const l1 = [60, 12, 62, 64, 66, 61, 9, 63, 65, 67];
    const result = madOutliers(l1, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(formatOriginal(result)).toMatch(/^flagged label list: 9: 9\.000000, 4: 12\.000000$/m);
  });

  it('takes the mean of the two middle values', () => {
    expect(madOutliers([1, 2, 4, 8])).toMatchObject({ median: 3, anomalyIndex: 2 / (1.4826 * 1.5) });
  });

  it('divides by a MAD of 0 as the original does', () => {
    const tied = [5, 20, 20, 20, 20];
    expect(formatOriginal(madOutliers(tied))).toBe(
      'median: 20.000000, MAD: 0.000000\nanomaly index: inf\nflagged label list: 0: 5.000000',
    );
    expect(formatOriginal(madOutliers([20, 20, 20]))).toBe(
      'median: 20.000000, MAD: 0.000000\nanomaly index: nan\nflagged label list: ',
    );
  });
});

describe('the safe test', () => {
  it('works on logarithms', () => {
    // log2 of the norms: 1 5 6 6 6 7 8; median 6, deviations 5 1 0 0 0 1 2, their median 1 = log 2.
    const result = findOutliers(norms(2, 32, 64, 64, 64, 128, 256));
    expect(result.median).toBeCloseTo(64, 10);
    expect(result.mad).toBeCloseTo(1.4826 * Math.LN2, 12);
    expect(result.labels.map((label) => label.anomalyIndex! * 1.4826)).toEqual(
      [5, 1, 0, 0, 0, -1, -2].map((index) => expect.closeTo(index, 10)),
    );
    expect(result.anomalyIndex).toBeCloseTo(5 / 1.4826, 10);
    expect(result).toMatchObject({ floored: false, finished: 7, censored: 0, reference: 'all' });
    expect(result.labels.map((label) => label.pValue).slice(2)).toEqual([1, 1, 1, 1, 1]);
    expect(result.pValue).toBe(result.labels[0]!.pValue);
  });

  it('flags on the low side only, above a threshold for the number of labels', () => {
    const ordinary = [50, 55, 60, 62, 64, 66, 68, 70, 75, 80, 85];
    expect(findOutliers(norms(...ordinary, 900)).flagged).toEqual([]);
    const result = findOutliers(norms(...ordinary, 900, 8, 5));
    expect(result.threshold).toBe(thresholdFor(14, 0.05));
    expect(result.flagged).toEqual([13, 12]);
    expect(findOutliers(norms(...ordinary, 900, 8, 5), { falseAlarmRate: 1e-4 }).flagged).toEqual([]);
  });

  it('does not divide by a MAD of 0: the scale has a floor', () => {
    const tied = findOutliers(norms(60, 60, 60, 60, 60, 60, 45));
    expect(tied).toMatchObject({ floored: true, mad: 0.1, flagged: [] });
    expect(tied.anomalyIndex).toBeCloseTo(Math.log(60 / 45) / 0.1, 10);
    expect(findOutliers(norms(60, 60, 60, 60, 60, 60, 45), { scaleFloor: 0.02 }).flagged).toEqual([6]);
    expect(findOutliers(norms(60, 60, 60, 60, 60, 60, 6)).flagged).toEqual([6]);
  });

  it('stays finite for an empty mask', () => {
    const result = findOutliers(norms(0, 50, 55, 60, 65, 70, 75));
    expect(result.anomalyIndex).toBeGreaterThan(20);
    expect(Number.isFinite(result.anomalyIndex)).toBe(true);
    expect(findOutliers(norms(0, 0, 0, 0, 0, 0))).toMatchObject({ anomalyIndex: 0, pValue: 1, flagged: [] });
  });

  it('counts censored labels as large, whatever norm stands there', () => {
    const finished = norms(8, 50, 55, 60, 65, 70, 75);
    const censored = [7, 8].map((label) => ({ label, l1: Number.NaN, censored: true }));
    const result = findOutliers([...finished, ...censored]);
    const large = findOutliers(norms(8, 50, 55, 60, 65, 70, 75, 1e9, 1e9));
    expect(result).toMatchObject({
      median: large.median,
      mad: large.mad,
      finished: 7,
      censored: 2,
      reference: 'all',
    });
    expect(result.labels.slice(0, 7)).toEqual(large.labels.slice(0, 7));
    expect(result.labels.slice(7)).toEqual(
      censored.map((label) => ({ ...label, anomalyIndex: null, pValue: null })),
    );
    expect(result.threshold).toBe(thresholdFor(9, 0.05));
    expect(result.classic).toEqual(madOutliers([8, 50, 55, 60, 65, 70, 75]));
  });

  it('compares the finished labels alone where half are censored', () => {
    const finished = norms(8, 50, 55, 60, 65, 70, 75);
    const censored = Array.from({ length: 7 }, (_, i) => ({ label: 7 + i, l1: 1024, censored: true }));
    const alone = findOutliers(finished);
    expect(findOutliers([...finished, ...censored])).toMatchObject({
      reference: 'finished',
      median: alone.median,
      mad: alone.mad,
      threshold: alone.threshold,
      anomalyIndex: alone.anomalyIndex,
      censored: 7,
    });
    expect(findOutliers([...finished, ...censored.slice(1)]).reference).toBe('all');
  });

  it('states nothing about fewer than five finished labels', () => {
    const few = [...norms(1, 50, 60, 70), { label: 4, l1: 0, censored: true }];
    expect(findOutliers(few)).toMatchObject({
      anomalyIndex: null,
      pValue: null,
      median: null,
      threshold: null,
      flagged: [],
    });
    expect(
      findOutliers(few).labels.every((label) => label.anomalyIndex === null && label.pValue === null),
    ).toBe(true);
    expect(findOutliers([])).toMatchObject({ classic: null, labels: [], finished: 0, reference: 'all' });
  });

  it('survives JSON', () => {
    const mixed = [...norms(0, 50, 55, 60, 65, 70, 75), { label: 9, l1: 3, censored: true }];
    const result = findOutliers(mixed);
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
  });

  it.each<[string, LabelNorm[], string]>([
    ['a negative norm', norms(-1, 50, 60), 'label 0 is -1'],
    ['NaN', norms(50, Number.NaN), 'label 1 is NaN'],
    ['a label that comes twice', [...norms(50, 60), { label: 1, l1: 70 }], 'Label 1'],
  ])('refuses %s', (_, wrong, message) => {
    expect(() => findOutliers(wrong)).toThrow(
      expect.objectContaining({ code: 'NORMS_INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('refuses a scale floor of 0', () => {
    expect(() => findOutliers(norms(1, 2, 3, 4, 5), { scaleFloor: 0 })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID' }),
    );
  });

  it('depends neither on the order of labels nor on the unit of norms', () => {
    const arbitrary = fc.array(fc.double({ min: 1, max: 1000, noNaN: true }), {
      minLength: 5,
      maxLength: 40,
    });
    fc.assert(
      fc.property(
        arbitrary,
        fc.double({ min: 0.1, max: 50, noNaN: true }),
        fc.integer(),
        (l1, unit, seed) => {
          const result = findOutliers(norms(...l1));
          const random = generator(seed);
          const shuffled = norms(...l1)
            .map(({ label, l1 }) => ({ label, l1: l1 * unit, order: random() }))
            .sort((a, b) => a.order - b.order)
            .map(({ label, l1 }) => ({ label, l1 }));
          const other = findOutliers(shuffled);
          for (const { label, anomalyIndex } of result.labels) {
            expect(other.labels.find((same) => same.label === label)!.anomalyIndex).toBeCloseTo(
              anomalyIndex!,
              6,
            );
          }
        },
      ),
      { seed: 11, numRuns: 100 },
    );
  });

  it.each([
    ['a fifth', 0.8416, 0.035, 0.065],
    ['two fifths', 0.2533, 0, 0.02],
  ])('gives no more false alarms with %s of the labels censored', (_, limit, least, most) => {
    // Clean models of 43 labels, of which those with a normal score above the limit never finish; 5 % may be
    // flagged.
    const normal = normals(23);
    const models = 2000;
    let flagged = 0;
    for (let model = 0; model < models; model++) {
      const clean = Array.from({ length: 43 }, (_, label) => {
        const z = normal();
        return { label, l1: 65 * Math.exp(0.25 * z), censored: z > limit };
      });
      const result = findOutliers(clean);
      if (result.reference === 'all' && result.flagged.length > 0) flagged++;
    }
    // Three standard errors are 1.5 points.
    expect(flagged / models).toBeLessThan(most);
    expect(flagged / models).toBeGreaterThan(least);
  });
});
