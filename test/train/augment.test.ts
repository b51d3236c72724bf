import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AugmentationSettings, augmented } from '../../src/train/augment.ts';
import { type TrainingSet, trainingSet } from '../../src/train/training-set.ts';
import { stripes } from './parity-cases.ts';

const none: AugmentationSettings = { shift: 0, rotation: 0, brightness: 0, flip: false };
const set = trainingSet(stripes(12, 9, 3, 3));

function read(from: TrainingSet, index: number, epoch: number): Float32Array {
  const pixels = new Float32Array(from.height * from.width * from.channels);
  from.read(index, epoch, pixels);
  return pixels;
}

describe('augmentation', () => {
  it('gives the same image for one seed, epoch and index, in any order, and pixels in [0, 255]', () => {
    const image = fc.record({ index: fc.nat(11), epoch: fc.integer({ min: 1, max: 50 }), seed: fc.nat(100) });
    const strong = { shift: 3, rotation: 40, brightness: 0.9, flip: true };
    fc.assert(
      fc.property(image, image, (a, b) => {
        const first = augmented(set, strong, a.seed);
        const pixels = read(first, a.index, a.epoch);
        read(first, b.index, b.epoch);
        expect(read(first, a.index, a.epoch)).toEqual(pixels);
        expect(read(augmented(set, strong, a.seed), a.index, a.epoch)).toEqual(pixels);
        expect(pixels.every((v) => v >= 0 && v <= 255)).toBe(true);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  it('changes from epoch to epoch and image to image, but not in epoch 0 and without any setting', () => {
    const changed = augmented(set, { ...none, shift: 2 }, 1);
    expect(read(changed, 0, 1)).not.toEqual(read(changed, 0, 2));
    expect(read(changed, 0, 0)).toEqual(read(set, 0, 0));
    expect(read(augmented(set, none, 1), 3, 1)).toEqual(read(set, 3, 1));
    expect(changed.label(5, 1)).toBe(set.label(5, 1));
  });

  it('mirrors about half of the images', () => {
    const mirrored = augmented(set, { ...none, flip: true }, 1);
    let count = 0;
    for (let epoch = 1; epoch <= 20; epoch++) {
      for (let index = 0; index < set.count; index++) {
        const [before, after] = [read(set, index, 0), read(mirrored, index, epoch)];
        const expected = before.map((_, i) => {
          const [row, column, channel] = [Math.floor(i / 27), Math.floor(i / 3) % 9, i % 3];
          return before[(row * 9 + (8 - column)) * 3 + channel]!;
        });
        const isMirrored = after.every((v, i) => v === expected[i]);
        expect(isMirrored || after.every((v, i) => v === before[i])).toBe(true);
        count += Number(isMirrored);
      }
    }
    expect(Math.abs(count / (20 * set.count) - 0.5)).toBeLessThan(0.1);
  });

  it('multiplies by a factor within the setting', () => {
    const dimmed = augmented(set, { ...none, brightness: 0.3 }, 2);
    const factors = Array.from({ length: 40 }, (_, i) => {
      const [before, after] = [read(set, 0, 0), read(dimmed, 0, i + 1)];
      const at = before.findIndex((v) => v > 50 && v < 150);
      return after[at]! / before[at]!;
    });
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.7 - 1e-6);
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.3 + 1e-6);
    expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.4);
  });

  it('moves a bright dot no further than the shift, and turns it about the centre', () => {
    const dot: TrainingSet = {
      ...set,
      channels: 1,
      label: () => 0,
      read: (_index, _epoch, into) => void into.fill(0).fill(255, 3 * 9 + 4, 3 * 9 + 5),
    };
    const centroid = (pixels: Float32Array): [number, number] => {
      const total = pixels.reduce((a, v) => a + v, 0);
      const along = (axis: (i: number) => number) => pixels.reduce((a, v, i) => a + v * axis(i), 0) / total;
      return [along((i) => i % 9), along((i) => Math.floor(i / 9))];
    };
    const farthest = (settings: AugmentationSettings, from: readonly [number, number]): number => {
      const moved = augmented(dot, settings, 3);
      const all = Array.from({ length: 60 }, (_, i) => centroid(read(moved, 0, i + 1)));
      return Math.max(...all.flatMap(([x, y]) => [Math.abs(x - from[0]), Math.abs(y - from[1])]));
    };
    const shifted = farthest({ ...none, shift: 2 }, [4, 3]);
    expect(shifted).toBeGreaterThan(1.5);
    expect(shifted).toBeLessThan(2.01);
    // One pixel above the centre, 90° apart at most: a quarter circle of radius 1
    const turned = farthest({ ...none, rotation: 90 }, [4, 3]);
    expect(turned).toBeGreaterThan(0.8);
    expect(turned).toBeLessThan(1.2);
  });
});
