import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findOutliers } from '../../src/detect/outliers.ts';
import { presets } from '../../src/detect/presets.ts';
import {
  estimateNorms,
  type Look,
  referenceLabels,
  type Screening,
  screenedInversions,
  suspectCount,
  suspectLabels,
} from '../../src/detect/screening.ts';
import { randomStream } from '../../src/random.ts';

/** 24 references. */
const screening: Screening = presets.fast.screening!;
const labelsOf = (count: number): number[] => Array.from({ length: count }, (_, label) => label);

/** Early norms, and what they come to: log-normal, with another factor for each label. */
function cleanModel(count: number, seed: number) {
  const random = randomStream(seed);
  const early: Look[] = [];
  const ends: Look[] = [];
  for (const label of labelsOf(count)) {
    const l1 = 200 * Math.exp(0.15 * random.normal());
    early.push({ label, l1, status: 'screened' });
    ends.push({ label, l1: l1 * 0.4 * Math.exp(0.2 * random.normal()), status: 'reversed' });
  }
  return { early, ends };
}

/** The indices of a screening that finishes suspects and references. */
function screened({ early, ends }: ReturnType<typeof cleanModel>, seed: number) {
  const labels = early.map(({ label }) => label);
  const references = referenceLabels(labels, screening, seed);
  const chosen = new Set([...references, ...suspectLabels(early)]);
  const finished = ends.filter(({ label }) => chosen.has(label));
  return findOutliers(estimateNorms(early, finished, references, seed));
}

describe('a screening', () => {
  it('draws references by seed alone, without repetition', () => {
    fc.assert(
      fc.property(fc.integer({ min: 24, max: 300 }), fc.nat(), (count, seed) => {
        const labels = labelsOf(count);
        const drawn = referenceLabels(labels, screening, seed);
        expect(new Set(drawn).size).toBe(24);
        expect(drawn.every((label) => labels.includes(label))).toBe(true);
        expect(referenceLabels(labels.toReversed(), screening, seed)).toEqual(drawn);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it('suspects the smallest masks, a share that falls with the number of labels', () => {
    const looks = labelsOf(43).map((label): Look => ({ label, l1: 100 - label, status: 'screened' }));
    expect(suspectLabels(looks)).toEqual([42, 41, 40, 39, 38, 37, 36]);
    expect(suspectCount(1000) / 1000).toBeLessThan(suspectCount(43) / 43);
    expect(screenedInversions(43, screening)).toBe(43 + 7 + 24);
    expect(screenedInversions(1000, screening)).toBe(1000 + 32 + 24);
  });

  it('takes measured norms as they are, and estimates the others by the shrinkage of a reference', () => {
    const early = [10, 20, 40].map((l1, label): Look => ({ label, l1, status: 'screened' }));
    const finished: Look[] = [{ label: 1, l1: 5, status: 'reversed' }];
    expect(estimateNorms(early, finished, [1], 0)).toEqual([
      { label: 0, l1: 2.5, censored: false },
      { label: 1, l1: 5, censored: false },
      { label: 2, l1: 10, censored: false },
    ]);
    // Suspects that are no references lend nothing: they shrink more than others.
    const both: Look[] = [...finished, { label: 0, l1: 0.1, status: 'reversed' }];
    expect(estimateNorms(early, both, [1], 0)[2]).toEqual({ label: 2, l1: 10, censored: false });
    const censored: Look[] = [{ label: 1, l1: 5, status: 'censored' }];
    expect(estimateNorms(early, censored, [1], 0).every((norm) => norm.censored)).toBe(true);
    expect(estimateNorms(early, [], [1], 0)).toEqual([]);
  });

  it('flags clean models about as often as an inversion of all labels would', () => {
    const runs = 400;
    let [flagged, flaggedInFull] = [0, 0];
    for (let seed = 0; seed < runs; seed++) {
      const model = cleanModel(43, seed);
      flagged += Number(screened(model, seed).flagged.length > 0);
      flaggedInFull += Number(findOutliers(model.ends).flagged.length > 0);
    }
    // 5 % are meant to be; 2 standard errors of 400 runs are 2.2 points.
    expect(flaggedInFull / runs).toBeLessThan(0.075);
    expect(flagged / runs).toBeLessThan(0.075);
  });

  it('still finds a mask that is much smaller than the others', () => {
    let found = 0;
    for (let seed = 0; seed < 100; seed++) {
      const model = cleanModel(43, seed);
      model.early[7] = { label: 7, l1: 140, status: 'screened' };
      model.ends[7] = { label: 7, l1: 15, status: 'reversed' };
      found += Number(screened(model, seed).flagged.includes(7));
    }
    expect(found).toBeGreaterThan(95);
  });
});
