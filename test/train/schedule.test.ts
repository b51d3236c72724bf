import { describe, expect, it } from 'vitest';
import { learningRateAt } from '../../src/train/schedule.ts';
import type { LearningRateSchedule } from '../../src/train/settings.ts';

const course = (schedule: LearningRateSchedule): number[] =>
  Array.from({ length: 12 }, (_, step) =>
    learningRateAt(schedule, 0.1, step, { stepsPerEpoch: 4, epochs: 3 }),
  );

describe('the learning rate', () => {
  it('stays where it is', () => {
    expect(course({ kind: 'constant' })).toEqual(Array(12).fill(0.1));
  });

  it('falls by a factor when epochs begin', () => {
    const rates = course({ kind: 'steps', at: [2, 3], factor: 0.5 });
    expect(rates).toEqual([...Array(4).fill(0.1), ...Array(4).fill(0.05), ...Array(4).fill(0.025)]);
  });

  it('warms up linearly and falls along half a cosine', () => {
    const rates = course({ kind: 'cosine', warmupSteps: 4 });
    expect(rates.slice(0, 5).map((v) => v.toFixed(6))).toEqual([
      '0.025000',
      '0.050000',
      '0.075000',
      '0.100000',
      '0.100000',
    ]);
    expect(rates[8]).toBeCloseTo(0.05, 12);
    expect(rates.slice(4)).toEqual(rates.slice(4).toSorted((a, b) => b - a));
    expect(rates[11]).toBeGreaterThan(0);
    expect(rates[11]).toBeLessThan(0.01);
  });

  it('does without a warm-up', () => {
    expect(course({ kind: 'cosine', warmupSteps: 0 })[0]).toBe(0.1);
  });
});
