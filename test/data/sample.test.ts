import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { imageSet } from '../../src/data/dataset.ts';
import { sampleImages, sampleIndices } from '../../src/data/sample.ts';
import { codeOf } from './support.ts';

/** One pixel an image, its own index. */
function labelled(labels: readonly number[]) {
  const images = Uint8Array.from(labels, (_, i) => i);
  return imageSet({
    images,
    height: 1,
    width: 1,
    channels: 1,
    range: [0, 255],
    source: 's',
    labels: Int32Array.from(labels),
  });
}

const labelLists = fc.array(fc.nat(5), { minLength: 1, maxLength: 60 });

const tally = (labels: Iterable<number>): Map<number, number> => {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
};

describe('a sample', () => {
  it('takes as many of each class as there are, plus or minus one', () => {
    fc.assert(
      fc.property(labelLists, fc.integer({ min: 1, max: 70 }), fc.nat(100), (labels, n, seed) => {
        const picked = sampleIndices(labelled(labels), n, { seed });
        expect(new Set(picked).size).toBe(Math.min(n, labels.length));
        const present = tally(labels);
        const drawn = tally(picked.map((i) => labels[i]!));
        const most = Math.max(...drawn.values());
        for (const [label, count] of present)
          expect(drawn.get(label) ?? 0).toBeGreaterThanOrEqual(Math.min(count, most - 1));
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('is the same for the same seed, and begins as a smaller one', () => {
    const set = labelled(Array.from({ length: 100 }, (_, i) => i % 7));
    const all = sampleIndices(set, 100, { seed: 5 });
    expect(sampleIndices(set, 100, { seed: 5 })).toEqual(all);
    expect(sampleIndices(set, 30, { seed: 5 })).toEqual(all.slice(0, 30));
    expect(sampleIndices(set, 100, { seed: 6 })).not.toEqual(all);
  });

  it('leaves a label out and keeps the order of the others', () => {
    const labels = Array.from({ length: 60 }, (_, i) => i % 3);
    const set = labelled(labels);
    const all = sampleIndices(set, 60, { seed: 2 });
    const others = sampleIndices(set, 60, { seed: 2, excludeLabel: 1 });
    expect(others).toEqual(all.filter((i) => labels[i] !== 1));
  });

  it('does not depend on neighbouring seeds', () => {
    const set = labelled(new Array(200).fill(0));
    const firsts = Array.from({ length: 40 }, (_, seed) => sampleIndices(set, 1, { seed })[0]!);
    expect(new Set(firsts).size).toBeGreaterThan(30);
  });

  it('draws without labels too', () => {
    const set = { ...labelled([0, 0, 0, 0]), labels: undefined };
    expect([...sampleImages(set, 3, { seed: 1 }).images].length).toBe(3);
  });

  it('carries images and labels along', () => {
    const set = labelled([4, 5, 5, 4, 5]);
    const sample = sampleImages(set, 2, { seed: 3 });
    expect([...sample.labels!].sort()).toEqual([4, 5]);
    expect([...sample.images].map((i) => set.labels![i])).toEqual([...sample.labels!]);
  });

  it('is refused where nothing remains or labels are missing', async () => {
    expect(await codeOf(() => sampleIndices(labelled([3, 3]), 5, { excludeLabel: 3 }))).toBe('DATA_EMPTY');
    expect(await codeOf(() => sampleIndices(labelled([3, 3]), 0))).toBe('DATA_EMPTY');
    const unlabelled = { ...labelled([0]), labels: undefined };
    expect(await codeOf(() => sampleIndices(unlabelled, 1, { excludeLabel: 0 }))).toBe('DATA_UNLABELLED');
  });
});
