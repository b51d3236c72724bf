import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ParityResult, parityCases, runCase } from './parity-cases.ts';

/** What PyTorch got: see bench/train-parity.ts. */
const torch = JSON.parse(
  readFileSync(new URL('../fixtures/train/parity.json', import.meta.url), 'utf8'),
) as Record<string, ParityResult>;

const expectClose = (ours: readonly number[], theirs: readonly number[], tolerance: number): void => {
  expect(theirs.length).toBeGreaterThan(0);
  const difference = theirs.map((v, i) => Math.abs(v - ours[i]!));
  expect(Math.max(...difference)).toBeLessThan(tolerance);
};

describe.each(Object.keys(parityCases))('training with %s', (name) => {
  it('has the losses, running statistics and weights of PyTorch', async () => {
    const [ours, theirs] = [await runCase(parityCases[name]!), torch[name]!];
    expect(ours.losses).toHaveLength(theirs.losses.length);
    expectClose(ours.losses, theirs.losses, 1e-5);
    expect(Object.keys(ours.statistics).toSorted()).toEqual(Object.keys(theirs.statistics).toSorted());
    for (const [key, list] of Object.entries(theirs.statistics))
      expectClose(ours.statistics[key]!, list, 1e-5);
    expect(Object.keys(ours.weights).toSorted()).toEqual(Object.keys(theirs.weights).toSorted());
    for (const [key, list] of Object.entries(theirs.weights)) expectClose(ours.weights[key]!, list, 1e-5);
    // The run moved far enough for a difference to show.
    expect(Math.abs(ours.losses.at(-1)! - ours.losses[0]!)).toBeGreaterThan(100 * 1e-5);
  });
});
