import { expect, it } from 'vitest';
import { accused, areaUnderRoc, scoreOf } from '../../bench/zoo/measures.ts';
import { zooModels, zooParts } from '../../bench/zoo/models.ts';
import { sampleResult } from '../report/sample.ts';

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

it('accuses a share of models, and none of none', () => {
  expect(accused([1, 2, 3, 4], (score) => score > 3)).toMatchObject({ count: 1, total: 4 });
  expect(accused([], () => true)).toBeUndefined();
});

it('scores what unlearning shows, and flagged labels above all that it leaves open', () => {
  const base = sampleResult();
  const suspect = { ...base.labels[0]!, l1: 10, unlearned: { l1: 40, asr: 1, residualAsr: 0 } };
  const without = { ...base, findings: [], labels: [suspect] };
  expect(scoreOf(without)).toBeCloseTo(Math.log((4 * 1024) / 10), 9);
  expect(scoreOf({ ...without, labels: [{ ...suspect, compactness: 3 }] })).toBeCloseTo(
    Math.log((3 * 4 * 1024) / 10),
    9,
  );
  // What was not unlearned could have grown to the median at most.
  const { unlearned: _unlearned, ...only } = suspect;
  const most = (base.outliers!.median! * 1024) / 100;
  expect(scoreOf({ ...without, labels: [only] })).toBeCloseTo(Math.log(most), 9);
  expect(scoreOf(base)).toBeGreaterThan(Math.log(300));
  // Flagged, and large for a planted one: beside what unlearning shows, the level counts.
  const large = { ...suspect, l1: 60, pValue: 0.04, unlearned: { l1: 70, asr: 1, residualAsr: 0 } };
  const scoreAt = (level: 'suspicious' | 'backdoored'): number =>
    scoreOf({ ...base, labels: [large], findings: [{ label: large.label, level, reasons: [] }] });
  expect(scoreAt('suspicious')).toBeCloseTo(Math.log(300) - 0.04, 9);
  expect(scoreAt('backdoored')).toBeCloseTo(Math.log(300) - Math.log10(0.04), 9);
  expect(scoreOf({ ...base, outliers: null })).toBe(Number.NEGATIVE_INFINITY);
});

it('has a zoo of enough models, each with a name and a seed of its own, in parts of both kinds', () => {
  const zoo = zooModels();
  const seeds = zoo.map(({ options }) => options[options.indexOf('--seed') + 1]);
  expect(new Set(zoo.map(({ id }) => id)).size).toBe(zoo.length);
  expect(new Set(seeds).size).toBe(zoo.length);
  for (const name of zooParts) {
    const part = zoo.filter((model) => model.part === name);
    expect(part.filter(({ attack }) => attack === 'clean').length).toBeGreaterThanOrEqual(12);
    expect(part.filter(({ attack }) => attack !== 'clean').length).toBeGreaterThanOrEqual(15);
    expect(part.filter(({ patch }) => patch).length).toBeGreaterThanOrEqual(12);
  }
});
