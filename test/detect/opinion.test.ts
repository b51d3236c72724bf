import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mostEvidence, nextEvidence, opinionOf, type UnlearnedMasks } from '../../src/detect/opinion.ts';

const pixels = 784;

describe('the opinion of unlearning', () => {
  it('calls a tiny mask planted that grows to the size of others', () => {
    const { says, contrast, recovery } = opinionOf({
      residualAsr: 0,
      before: 5,
      after: 100,
      median: 100,
      pixels,
    });
    expect(says).toBe('planted');
    expect(contrast).toBeCloseTo((20 * pixels) / 5, 6);
    expect(recovery).toBeCloseTo(1, 12);
  });

  it('calls an abnormally small mask natural that stays smaller than others', () => {
    expect(opinionOf({ residualAsr: 0, before: 18, after: 58, median: 268, pixels }).says).toBe('natural');
  });

  it('leaves large patches to the outlier test, and tiny masks that stay: one of several triggers', () => {
    expect(opinionOf({ residualAsr: 0, before: 51, after: 109, median: 109, pixels }).says).toBe('undecided');
    expect(opinionOf({ residualAsr: 0, before: 5, after: 6, median: 100, pixels }).says).toBe('undecided');
  });

  it('calls nothing planted that is more than a third of the usual size, however much it grows', () => {
    const grown = (before: number) =>
      opinionOf({ residualAsr: 0, before, after: 60, median: 30, pixels: 1024, compactness: 3 });
    expect(grown(11)).toMatchObject({ says: 'undecided' });
    expect(grown(11).evidence).toBeGreaterThan(300);
    expect(grown(9.9).says).toBe('planted');
  });

  it('says nothing where the trigger still works', () => {
    expect(opinionOf({ residualAsr: 0.4, before: 5, after: 100, median: 100, pixels }).says).toBe(
      'undecided',
    );
    expect(opinionOf({ residualAsr: 0.4, before: 18, after: 58, median: 268, pixels }).says).toBe(
      'undecided',
    );
  });

  it('takes no more than an ordinary size for proof', () => {
    const { says, contrast } = opinionOf({
      residualAsr: 0,
      before: 42,
      after: 706,
      median: 139,
      pixels: 1024,
    });
    expect(contrast).toBeCloseTo((139 * 1024) / 42 ** 2, 9);
    expect(says).toBe('undecided');
  });

  it('counts a compact mask for more, and one that is not for no less', () => {
    const masks = { residualAsr: 0, before: 31, after: 175, median: 197, pixels };
    const alone = opinionOf(masks);
    expect(alone).toMatchObject({ says: 'undecided', evidence: alone.contrast });
    const compact = opinionOf({ ...masks, compactness: 4.2 });
    expect(compact.says).toBe('planted');
    expect(compact.evidence).toBeCloseTo(4.2 * alone.contrast, 9);
    expect(opinionOf({ ...masks, compactness: 0.3 })).toEqual(alone);
  });

  it('asks for less of a compact mask where no other label has nearly as much', () => {
    const masks = { residualAsr: 0, before: 34, after: 104, median: 104, pixels: 1024, compactness: 2.2 };
    const { evidence } = opinionOf(masks);
    expect(evidence).toBeGreaterThan(150);
    expect(evidence).toBeLessThan(300);
    const says = (changed: Partial<UnlearnedMasks>) => opinionOf({ ...masks, ...changed }).says;
    expect(says({})).toBe('undecided');
    expect(says({ next: evidence / 4 })).toBe('planted');
    expect(says({ next: evidence / 2 })).toBe('undecided');
    // The same evidence of a mask that fits into no window, or is larger.
    expect(opinionOf({ ...masks, before: 23, compactness: 1, next: 10 })).toMatchObject({
      says: 'undecided',
      evidence: expect.closeTo(201, 0),
    });
    expect(says({ before: 36, compactness: 3, next: 10 })).toBe('undecided');
    expect(says({ compactness: 1.5, next: 1 })).toBe('undecided');
  });

  it('compares with what any other label could have at most', () => {
    const scale = { median: 100, pixels: 1000 };
    const norms = [
      { label: 3, l1: 20 },
      { label: 5, l1: 50 },
      { label: 8, l1: 100 },
    ];
    expect(nextEvidence(3, norms, scale, new Map())).toBe(mostEvidence(50, scale));
    expect(nextEvidence(5, norms, scale, new Map())).toBe(mostEvidence(20, scale));
    expect(nextEvidence(3, norms, scale, new Map([[8, 7]]))).toBe(mostEvidence(100, scale, 7));
    expect(nextEvidence(3, norms.slice(0, 1), scale, new Map())).toBe(0);
  });

  it('has no recovery for masks that are not below the median, or without one', () => {
    expect(opinionOf({ residualAsr: 0, before: 60, after: 80, median: 50, pixels }).recovery).toBeNull();
    expect(opinionOf({ residualAsr: 0, before: 60, after: 80, median: null, pixels }).recovery).toBeNull();
  });

  it('depends on shares of the image alone, and rises with what is needed afterwards', () => {
    const size = fc.double({ min: 0.5, max: 300, noNaN: true });
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 2, max: 9 }), (before, after, median, times) => {
        const opinion = opinionOf({ residualAsr: 0, before, after, median, pixels });
        const larger = opinionOf({
          residualAsr: 0,
          before: times * before,
          after: times * after,
          median: times * median,
          pixels: times * pixels,
        });
        expect(larger.contrast / opinion.contrast).toBeCloseTo(1, 9);
        const more = opinionOf({ residualAsr: 0, before, after: 2 * after, median, pixels });
        expect(more.contrast).toBeGreaterThanOrEqual(opinion.contrast);
        expect(more.evidence).toBeLessThanOrEqual((1 + 1e-9) * mostEvidence(before, { median, pixels }));
      }),
      { seed: 1 },
    );
  });
});
