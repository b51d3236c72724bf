import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AnnealingConfig,
  type AnnealingState,
  anneal,
  createAnnealing,
  rateFactor,
} from '../../src/detect/annealing.ts';
import { generator } from '../support/gradient-check.ts';

const config: AnnealingConfig = {
  steps: 20,
  initCost: 0.01,
  minCost: 1e-4,
  maxCost: 0.1,
  gain: 0.02,
  attackSuccThreshold: 0.99,
  holdShare: 0.6,
  finalRate: 0.05,
  keepEvery: 5,
};

/** The states after each of the mini-batches, and which of them left a trigger. */
function follow(asrs: readonly number[], over: Partial<AnnealingConfig> = {}) {
  let state = createAnnealing({ ...config, ...over });
  return asrs.map((asr) => {
    const next = anneal(state, { asr, reg: 30 });
    state = next.state;
    return next;
  });
}

describe('the weight of the norm', () => {
  it('rises by the gain with each success, and falls with the share of failures', () => {
    const [up, down] = follow([1, 0.95]).map(({ state }) => state.cost);
    expect(up).toBeCloseTo(0.01 * Math.exp(0.02), 12);
    // Five times as many failures as the threshold allows: 1 − 5 gains.
    expect(down).toBeCloseTo(up! * Math.exp(-4 * 0.02), 12);
  });

  it('does not move at the threshold', () => {
    expect(follow([0.99])[0]!.state.cost).toBeCloseTo(0.01, 12);
  });

  it('falls no steeper for a hopeless mini-batch, nor for one without a number', () => {
    const [none] = follow([0]);
    expect(none!.state.cost).toBeCloseTo(0.01 * Math.exp(-12 * 0.02), 12);
    expect(follow([Number.NaN])[0]!.state.cost).toBe(none!.state.cost);
  });

  it('stays within its bounds, whatever is measured', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1 }), { minLength: 1, maxLength: 200 }), (asrs) => {
        for (const { state } of follow(asrs, { steps: 200, gain: 1 })) {
          expect(state.cost).toBeGreaterThanOrEqual(1e-4);
          expect(state.cost).toBeLessThanOrEqual(0.1);
        }
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('finds the weight at which the attack succeeds at the threshold', () => {
    // Eight images, each of which fails with a chance that grows with the weight: 1 % at 0.02.
    const random = generator(5);
    let state: AnnealingState = createAnnealing({ ...config, steps: 30_000 });
    let sum = 0;
    for (let step = 0; step < 30_000; step++) {
      const chance = 0.01 * (state.cost / 0.02);
      const failures = Array.from({ length: 8 }, () => Number(random() < chance)).reduce((a, b) => a + b);
      state = anneal(state, { asr: 1 - failures / 8, reg: 1 }).state;
      if (step >= 2000) sum += Math.log(state.cost);
    }
    expect(Math.exp(sum / 28_000) / 0.02).toBeGreaterThan(0.8);
    expect(Math.exp(sum / 28_000) / 0.02).toBeLessThan(1.2);
  });
});

describe('the steps', () => {
  it('leave a trigger now and then in the later part, and at the end, which is final', () => {
    const steps = follow(Array<number>(17).fill(0.5), { steps: 17 });
    expect(steps.flatMap(({ improved, state }) => (improved ? [state.step] : []))).toEqual([10, 15, 17]);
    const last = steps.at(-1)!.state;
    expect(last.stopped).toBe('steps');
    expect(() => anneal(last, { asr: 1, reg: 1 })).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it('go on from JSON as if they had not been interrupted', () => {
    const middle = follow([1, 0.9, 1])[2]!.state;
    const copy = JSON.parse(JSON.stringify(middle)) as AnnealingState;
    expect(anneal(copy, { asr: 0.8, reg: 1 })).toEqual(anneal(middle, { asr: 0.8, reg: 1 }));
  });

  it('hold the learning rate, and then lower it to its last value', () => {
    const rates = [
      createAnnealing(config),
      ...follow(Array<number>(20).fill(1)).map(({ state }) => state),
    ].map(rateFactor);
    expect(rates.slice(0, 13)).toEqual(Array<number>(13).fill(1));
    expect(rates[16]).toBeCloseTo(0.525, 12);
    expect(rates[20]).toBeCloseTo(0.05, 12);
    expect(rates).toEqual(rates.toSorted((a, b) => b - a));
  });
});

describe('settings', () => {
  it.each([
    [{ steps: 0 }, 'steps'],
    [{ gain: -1 }, 'gain'],
    [{ maxCost: 1e-5 }, 'maxCost'],
    [{ initCost: 1 }, 'initCost'],
    [{ attackSuccThreshold: 1 }, 'attackSuccThreshold'],
    [{ holdShare: 2 }, 'holdShare'],
    [{ finalRate: 0 }, 'finalRate'],
    [{ keepEvery: 0.5 }, 'keepEvery'],
    [{ minCost: Number.NaN }, 'minCost'],
  ])('%o are refused', (over, name) => {
    expect(() => createAnnealing({ ...config, ...over })).toThrow(
      expect.objectContaining({ code: 'SETTING_INVALID', message: expect.stringContaining(name) }),
    );
  });
});
