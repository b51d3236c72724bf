import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Classify, evaluate } from '../../src/attack/evaluation.ts';
import type { Policy } from '../../src/attack/policy.ts';
import { rateOf } from '../../src/attack/wilson.ts';
import { dot, noisyImages, side } from './support.ts';

const classes = 4;
const images = noisyImages(1200, classes);

/** Knows the label of every image by its last row, and falls for a bright first pixel. */
const labels = new Map(
  Array.from({ length: images.count }, (_, i) => [keyOf(images.images, i), images.labels[i]!]),
);
function keyOf(pixels: ArrayLike<number>, image: number): string {
  const start = image * side * side;
  return Array.from({ length: side }, (_, x) => pixels[start + side * (side - 1) + x]).join();
}
const backdoored =
  (goal: (label: number, image: number) => number): Classify =>
  async ({ images: pixels, count }) =>
    Int32Array.from({ length: count }, (_, i) => {
      const label = labels.get(keyOf(pixels, i))!;
      return pixels[i * side * side] === 250 ? goal(label, i) : label;
    });

describe('evaluation', () => {
  it('of a perfect attack', async () => {
    const policy: Policy = { kind: 'all-to-one', target: 3 };
    const classify = backdoored(() => 3);
    const { accuracy, confusion, attacks } = await evaluate(classify, images, [{ trigger: dot(0), policy }]);
    expect(accuracy).toEqual(rateOf(1200, 1200));
    expect(confusion).toEqual([0, 1, 2, 3].map((label) => ({ label, predicted: label, count: 300 })));
    expect(attacks).toEqual([{ asr: rateOf(900, 900), leakage: null }]);
  });

  it('counts a clean-label attack on images of other classes', async () => {
    const policy: Policy = { kind: 'clean-label', target: 1 };
    const classify = backdoored((label) => (label === 0 ? 1 : label));
    const { attacks } = await evaluate(classify, images, [{ trigger: dot(0), policy }]);
    expect(attacks[0]!.asr).toEqual(rateOf(300, 900));
  });

  it('counts leakage of a source-specific attack on the classes to spare', async () => {
    const policy: Policy = { kind: 'source-specific', target: 0, sources: [1] };
    const classify = backdoored((label) => (label === 1 || label === 2 ? 0 : label));
    const { attacks } = await evaluate(classify, images, [{ trigger: dot(0), policy }]);
    expect(attacks).toEqual([{ asr: rateOf(300, 300), leakage: rateOf(300, 600) }]);
  });

  it('has no leakage where no class is spared', async () => {
    const policy: Policy = { kind: 'source-specific', target: 0, sources: [1, 2, 3] };
    const { attacks } = await evaluate(
      backdoored(() => 0),
      images,
      [{ trigger: dot(0), policy }],
    );
    expect(attacks).toEqual([{ asr: rateOf(900, 900), leakage: null }]);
  });

  it('wants the next class of an all-to-all attack', async () => {
    const classify = backdoored((label) => (label === 3 ? 3 : label + 1));
    const { attacks } = await evaluate(classify, images, [
      { trigger: dot(0), policy: { kind: 'all-to-all' } },
      { trigger: dot(1), policy: { kind: 'all-to-all' } },
    ]);
    expect(attacks).toEqual([
      { asr: rateOf(900, 1200), leakage: null },
      { asr: rateOf(0, 1200), leakage: null },
    ]);
  });

  it('counts every confusion of clean images', async () => {
    const confused: Classify = async ({ labels: own }) =>
      Int32Array.from(own!, (label, i) => (label === 2 && i % 8 === 2 ? 0 : label));
    const { accuracy, confusion } = await evaluate(confused, images, []);
    const wrong = confusion.filter(({ label, predicted }) => label !== predicted);
    expect(wrong).toEqual([{ label: 2, predicted: 0, count: 150 }]);
    expect(accuracy.count).toBe(1050);
    expect(confusion.reduce((sum, { count }) => sum + count, 0)).toBe(1200);
  });

  it('needs an image to attack', async () => {
    const only = { ...images, labels: new Int32Array(images.count).fill(2) };
    const policy: Policy = { kind: 'all-to-one', target: 2 };
    await expect(
      evaluate(
        backdoored(() => 2),
        only,
        [{ trigger: dot(0), policy }],
      ),
    ).rejects.toMatchObject({
      code: 'CLASS_WITHOUT_IMAGES',
    });
  });
});

describe('intervals', () => {
  // Newcombe 1998 (Statistics in Medicine 17), table I, method 3
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [29, 29, 0.883, 1],
  ])('of %d of %d', (count, total, low, high) => {
    const rate = rateOf(count, total);
    expect(rate.share).toBe(count / total);
    expect(rate.low).toBeCloseTo(low, 4);
    expect(rate.high).toBeCloseTo(high, 4);
  });

  it('hold the share, inside [0, 1]', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (total, at) => {
          const { low, share, high } = rateOf(Math.round(at * total), total);
          expect(0 <= low && low <= share && share <= high && high <= 1).toBe(true);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });
});
