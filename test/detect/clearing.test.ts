import { describe, expect, it } from 'vitest';
import { separate } from '../../src/detect/clearing.ts';
import type { Opinion } from '../../src/detect/opinion.ts';
import { findOutliers } from '../../src/detect/outliers.ts';
import { decideVerdict } from '../../src/detect/verdict.ts';

const others = [95, 98, 100, 102, 105, 97, 103, 99].map((l1, label) => ({ label, l1 }));
const outliers = findOutliers([...others, { label: 8, l1: 12 }, { label: 9, l1: 40 }]);
const opinion = (says: Opinion['says']): Opinion => ({
  says,
  contrast: 50,
  evidence: 50,
  recovery: 0.5,
});
const labelsOf = (found: readonly { readonly label: number }[]): number[] => found.map(({ label }) => label);

describe('the labels that stand out', () => {
  it('are all suspects without an opinion', () => {
    const { suspects, natural, ordinary } = separate(outliers, new Map());
    expect(labelsOf(suspects)).toEqual([8, 9]);
    expect([...natural, ...ordinary]).toEqual([]);
  });

  it('are no suspects with more than half of the usual size, unless planted', () => {
    const alike = findOutliers([...others, { label: 8, l1: 65 }, { label: 9, l1: 40 }]);
    expect(alike.flagged).toEqual([9, 8]);
    const { suspects, large } = separate(alike, new Map());
    expect([labelsOf(suspects), labelsOf(large)]).toEqual([[9], [8]]);
    const planted = separate(alike, new Map([[8, opinion('planted')]]));
    expect([labelsOf(planted.suspects), labelsOf(planted.large)]).toEqual([[8, 9], []]);
  });

  it('are ordinary where a natural mask is smaller still', () => {
    const opinions = new Map([
      [8, opinion('natural')],
      [9, opinion('undecided')],
    ]);
    const { suspects, natural, ordinary } = separate(outliers, opinions);
    expect([labelsOf(suspects), labelsOf(natural), labelsOf(ordinary)]).toEqual([[], [8], [9]]);
  });

  it('stay suspects where the natural mask is the larger one, or where they were planted', () => {
    const larger = new Map([
      [8, opinion('undecided')],
      [9, opinion('natural')],
    ]);
    expect(labelsOf(separate(outliers, larger).suspects)).toEqual([8]);
    const planted = new Map([
      [8, opinion('natural')],
      [9, opinion('planted')],
    ]);
    expect(labelsOf(separate(outliers, planted).suspects)).toEqual([9]);
  });

  it('are planted ones, too, that the outlier test leaves out', () => {
    const opinions = new Map([[3, opinion('planted')]]);
    expect(labelsOf(separate(outliers, opinions).suspects)).toEqual([3, 8, 9]);
  });
});

it('the verdict tells why an ordinary label is not accused', () => {
  const conclusion = decideVerdict({
    outliers,
    preflight: { accuracy: 0.98 },
    pixels: 784,
    heldOutAsr: new Map([
      [8, 1],
      [9, 1],
    ]),
    unlearned: new Map([[8, { before: 12, after: 20, residualAsr: 0 }]]),
  });
  expect(conclusion).toMatchObject({ verdict: 'no-patch-backdoor-found', findings: [] });
  expect(conclusion.reasons[1]).toMatch(
    /^Label 9 has a mask of 40\.0 pixels .* A natural mask of this model is smaller still\.$/,
  );
});
