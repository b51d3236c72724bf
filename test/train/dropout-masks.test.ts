import { expect, it } from 'vitest';
import { drawMasks } from '../../src/train/dropout-masks.ts';

const draw = (dims: readonly number[], keep: number, seed = 1, step = 0) => {
  const { data } = drawMasks([{ input: 'mask', dims, keep }], seed, step).mask!;
  return data;
};

it.each([0.5, 0.8, 0.05])('keeps a share of %d, and keeps the mean at 1', (keep) => {
  const count = 200_001;
  const mask = draw([count], keep);
  expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / keep)]));
  const kept = mask.filter((v) => v !== 0).length / count;
  // Five standard errors
  expect(Math.abs(kept - keep)).toBeLessThan(5 * Math.sqrt((keep * (1 - keep)) / count));
});

it('draws neighbours, and the same element of two steps or seeds, independently', () => {
  const count = 100_000;
  const first = draw([count], 0.5);
  const agreement = (other: (i: number) => number): number =>
    first.reduce((sum, v, i) => sum + Number(v === other(i)), 0) / count;
  const within = 5 * Math.sqrt(0.25 / count);
  for (const lag of [1, 2, 3, 32]) {
    expect(Math.abs(agreement((i) => first[(i + lag) % count]!) - 0.5)).toBeLessThan(within);
  }
  const nextStep = draw([count], 0.5, 1, 1);
  const otherSeed = draw([count], 0.5, 2, 0);
  expect(Math.abs(agreement((i) => nextStep[i]!) - 0.5)).toBeLessThan(within);
  expect(Math.abs(agreement((i) => otherSeed[i]!) - 0.5)).toBeLessThan(within);
});

it('draws the same for the same seed and step, another for each mask', () => {
  expect(draw([3, 5], 0.5)).toEqual(draw([3, 5], 0.5));
  const dims = [64];
  const { a, b } = drawMasks(
    [
      { input: 'a', dims, keep: 0.5 },
      { input: 'b', dims, keep: 0.5 },
    ],
    1,
    0,
  );
  expect(a).not.toEqual(b);
});
