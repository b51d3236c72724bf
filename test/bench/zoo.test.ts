import { expect, it } from 'vitest';
import { accused, areaUnderRoc, thresholdAt } from '../../bench/zoo/measures.ts';
import { zooModels } from '../../bench/zoo/models.ts';

const models = (clean: readonly number[], infected: readonly number[]) => [
  ...clean.map((score) => ({ score, infected: false })),
  ...infected.map((score) => ({ score, infected: true })),
];

it('counts pairs in which the infected model scores higher, and ties by half', () => {
  expect(areaUnderRoc(models([1, 2], [3, 4]))).toBe(1);
  expect(areaUnderRoc(models([3, 4], [1, 2]))).toBe(0);
  expect(areaUnderRoc(models([1, 2], [1, 2, 5]))).toBeCloseTo((0.5 + 0 + 1 + 0.5 + 1 + 1) / 6);
  expect(areaUnderRoc(models([], [1]))).toBeNaN();
});

it('lets at most the asked share of clean models exceed the threshold, whatever infected ones score', () => {
  const scores = Array.from({ length: 40 }, (_, i) => i);
  const threshold = thresholdAt(models(scores, [100]), 0.05);
  expect(threshold).toBe(37);
  expect(accused(scores, (score) => score > threshold)).toMatchObject({ count: 2, total: 40 });
  expect(thresholdAt(models([5, 1, 3], []), 0.05)).toBe(5);
  expect(accused([], () => true)).toBeUndefined();
});

it('has a zoo of enough models, each with a name and a seed of its own, in halves of both kinds', () => {
  const zoo = zooModels();
  const seeds = zoo.map(({ options }) => options[options.indexOf('--seed') + 1]);
  expect(new Set(zoo.map(({ id }) => id)).size).toBe(zoo.length);
  expect(new Set(seeds).size).toBe(zoo.length);
  for (const half of ['tuning', 'judging']) {
    const part = zoo.filter((model) => model.half === half);
    expect(part.filter(({ attack }) => attack === 'clean').length).toBeGreaterThanOrEqual(15);
    expect(part.filter(({ attack }) => attack !== 'clean').length).toBeGreaterThanOrEqual(15);
    expect(part.filter(({ patch }) => patch).length).toBeGreaterThanOrEqual(12);
  }
});
