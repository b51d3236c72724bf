import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Advance,
  advance,
  createSchedule,
  isCensored,
  type ScheduleConfig,
  type ScheduleState,
  type StepMeasurement,
} from '../../src/detect/schedule.ts';

const success = (reg = 50): StepMeasurement => ({ asr: 0.99, reg });
const failure = (reg = 50): StepMeasurement => ({ asr: 0.98, reg });
const times = (n: number, step: StepMeasurement): StepMeasurement[] => Array.from({ length: n }, () => step);

/** The outcome of each step until the schedule stops; element 0 is step 1. */
function run(trace: readonly StepMeasurement[], settings: Partial<ScheduleConfig> = {}): Advance[] {
  const outcomes: Advance[] = [];
  let state = createSchedule(settings);
  for (const step of trace) {
    if (state.stopped !== null) break;
    const outcome = advance(state, step);
    outcomes.push(outcome);
    state = outcome.state;
  }
  return outcomes;
}

const last = (outcomes: readonly Advance[]): ScheduleState => outcomes.at(-1)!.state;
const costs = (outcomes: readonly Advance[]): number[] => outcomes.map(({ state }) => state.cost);

describe('the defaults', () => {
  it('are those of the GTSRB example of the original', () => {
    expect(createSchedule().config).toEqual({
      steps: 1000,
      initCost: 1e-3,
      resetCostToZero: true,
      attackSuccThreshold: 0.99,
      patience: 5,
      costMultiplier: 2,
      maxCost: null,
      earlyStop: true,
      earlyStopThreshold: 1,
      earlyStopPatience: 25,
    });
  });

  it('keep the early stop at five times the patience', () => {
    expect(createSchedule({ patience: 3 }).config.earlyStopPatience).toBe(15);
    expect(createSchedule({ patience: 3, earlyStopPatience: 4 }).config.earlyStopPatience).toBe(4);
  });
});

describe('λ', () => {
  it('leaves 0 at the fifth success, which counts towards the first doubling', () => {
    expect(costs(run(times(15, success())))).toEqual([
      0, 0, 0, 0, 0.001, 0.001, 0.001, 0.001, 0.002, 0.002, 0.002, 0.002, 0.002, 0.004, 0.004,
    ]);
  });

  it('waits for five successes in a row', () => {
    const outcomes = run([...times(4, success()), failure(), ...times(5, success())]);
    expect(costs(outcomes)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0.001]);
  });

  it('falls by 2^1.5 at every fifth failure in a row', () => {
    const outcomes = run([
      ...times(5, success()),
      ...times(4, failure()),
      success(),
      ...times(10, failure()),
    ]);
    // Four failures are too few. The success at step 10 ends the run, so λ falls at steps 15 and 20.
    const expected = [...Array(10).fill(1e-3), ...Array(5).fill(3.5355339e-4), 1.25e-4];
    costs(outcomes.slice(4)).forEach((cost, i) => {
      expect(cost / expected[i]).toBeCloseTo(1, 7);
    });
    expect(outcomes).toHaveLength(20);
  });

  it('stays 0 under failures, and the flags and counters of that time are forgotten when it leaves 0', () => {
    const outcomes = run([...times(7, failure()), ...times(5, success())]);
    expect(costs(outcomes)).toEqual([...Array(11).fill(0), 0.001]);
    expect(outcomes[4]!.state).toMatchObject({ costDownFlag: true, costDownCounter: 0 });
    expect(outcomes[6]!.state).toMatchObject({ costDownFlag: true, costDownCounter: 2 });
    expect(outcomes[10]!.state).toMatchObject({ costDownFlag: true, costUpCounter: 4, costSetCounter: 4 });
    expect(outcomes[11]!.state).toMatchObject({
      costDownFlag: false,
      costUpFlag: false,
      costDownCounter: 0,
      costUpCounter: 1,
      costSetCounter: 0,
    });
  });

  it('raises each flag with its first change', () => {
    const outcomes = run([...times(9, success()), ...times(5, failure())]);
    expect(outcomes[7]!.state).toMatchObject({ costUpFlag: false, costDownFlag: false });
    expect(outcomes[8]!.state).toMatchObject({ costUpFlag: true, costDownFlag: false });
    expect(outcomes[12]!.state).toMatchObject({ costUpFlag: true, costDownFlag: false });
    expect(outcomes[13]!.state).toMatchObject({ costUpFlag: true, costDownFlag: true });
  });

  it('starts at its first value on request', () => {
    expect(createSchedule({ resetCostToZero: false }).cost).toBe(0.001);
    expect(costs(run(times(6, success()), { resetCostToZero: false }))).toEqual([
      0.001, 0.001, 0.001, 0.001, 0.002, 0.002,
    ]);
  });

  it('does not rise above a cap, while the flag goes up all the same', () => {
    const outcomes = run(times(40, success()), { maxCost: 0.003 });
    expect(Math.max(...costs(outcomes))).toBe(0.003);
    expect(last(outcomes)).toMatchObject({ cost: 0.003, costUpFlag: true });
    expect(last(run(times(40, success()))).cost).toBe(0.128);
  });
});

describe('the best step', () => {
  it('is the successful one with the smallest norm', () => {
    const outcomes = run([
      failure(10),
      success(60),
      success(60),
      success(70),
      success(55),
      failure(20),
      success(56),
    ]);
    expect(outcomes.map(({ improved }) => improved)).toEqual([false, true, false, false, true, false, false]);
    expect(outcomes.map(({ state }) => state.regBest)).toEqual([null, 60, 60, 60, 55, 55, 55]);
  });

  it('does not exist for a label that never reaches the threshold', () => {
    const outcomes = run(times(40, { asr: 0.9899, reg: 3 }));
    expect(isCensored(last(outcomes))).toBe(true);
    expect(last(outcomes)).toMatchObject({ regBest: null, stopped: null, earlyStopCounter: 0, cost: 0 });
    expect(isCensored(last(run([success()])))).toBe(false);
  });

  it('is never one whose measurements are NaN', () => {
    const outcomes = run([{ asr: Number.NaN, reg: 1 }, { asr: 1, reg: Number.NaN }, success(9)]);
    expect(outcomes.map(({ improved }) => improved)).toEqual([false, false, true]);
  });
});

describe('the early stop', () => {
  const bothFlags = [...times(9, success()), ...times(5, failure())];

  it('comes at the 25th step without progress', () => {
    // The best norm is that of step 1, so step n is the (n - 1)th without progress; both flags are up from
    // step 14 on.
    const outcomes = run([...bothFlags, ...times(40, success())]);
    expect(outcomes).toHaveLength(26);
    expect(outcomes[24]!.state).toMatchObject({ earlyStopCounter: 24, stopped: null });
    expect(outcomes[25]!.state).toMatchObject({ earlyStopCounter: 25, stopped: 'early-stop' });
  });

  it('leaves λ as it was in the last step', () => {
    // Steps 15 to 23 succeed: λ rises at 19, and would rise at 24; a failure there and a stop at 26 leave it.
    const outcomes = run([...bothFlags, ...times(12, success())]);
    const [before, final] = [outcomes[24]!.state, outcomes[25]!.state];
    expect(final).toEqual({ ...before, step: 26, earlyStopCounter: 25, stopped: 'early-stop' });
  });

  it('starts counting again with a smaller norm', () => {
    const outcomes = run([...bothFlags, ...times(5, success()), success(49.9), ...times(60, success())]);
    expect(outcomes[19]!.state).toMatchObject({ earlyStopCounter: 0, regBest: 49.9 });
    expect(outcomes).toHaveLength(45);
  });

  it('can save a better trigger in its last step if progress is asked to be larger', () => {
    const shrinking = Array.from({ length: 60 }, (_, i) => success(50 * 0.995 ** (i + 14)));
    const outcomes = run([...bothFlags, ...shrinking], { earlyStopThreshold: 0.99 });
    expect(last(outcomes).stopped).toBe('early-stop');
    expect(outcomes.at(-1)!.improved).toBe(true);
    // With the original's threshold of 1 any smaller norm is progress.
    expect(last(run([...bothFlags, ...shrinking])).stopped).toBe(null);
  });

  it('waits for both flags and then takes one more step', () => {
    const outcomes = run([...times(40, success()), ...times(20, failure())]);
    // The fifth failure, step 45, raises the down flag; the flags are looked at before λ changes.
    expect(outcomes[44]!.state).toMatchObject({ costDownFlag: true, stopped: null, earlyStopCounter: 44 });
    expect(outcomes).toHaveLength(46);
    expect(last(outcomes).stopped).toBe('early-stop');
  });

  it('can be switched off', () => {
    expect(run([...bothFlags, ...times(80, success())], { earlyStop: false })).toHaveLength(94);
  });
});

describe('the last step', () => {
  it('ends the schedule, and no step may follow', () => {
    const outcomes = run(times(10, failure()), { steps: 3 });
    expect(outcomes.map(({ state }) => state.stopped)).toEqual([null, null, 'steps']);
    expect(() => advance(last(outcomes), success())).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it('can be an early stop', () => {
    const trace = [...times(9, success()), ...times(5, failure()), ...times(40, success())];
    expect(last(run(trace, { steps: 26 })).stopped).toBe('early-stop');
    expect(last(run(trace, { steps: 25 })).stopped).toBe('steps');
  });
});

it.each<[string, Partial<ScheduleConfig>]>([
  ['steps', { steps: 0 }],
  ['steps', { steps: 2.5 }],
  ['patience', { patience: 0 }],
  ['earlyStopPatience', { earlyStopPatience: -1 }],
  ['initCost', { initCost: 0 }],
  ['initCost', { initCost: Number.POSITIVE_INFINITY }],
  ['attackSuccThreshold', { attackSuccThreshold: 0 }],
  ['attackSuccThreshold', { attackSuccThreshold: 1.01 }],
  ['costMultiplier', { costMultiplier: 1 }],
  ['maxCost', { maxCost: 1e-4 }],
  ['maxCost', { maxCost: Number.NaN }],
  ['earlyStopThreshold', { earlyStopThreshold: 1.5 }],
])('refuses a wrong %s: %j', (name, settings) => {
  expect(() => createSchedule(settings)).toThrow(
    expect.objectContaining({ code: 'SETTING_INVALID', message: expect.stringContaining(name) }),
  );
});

describe('whatever the trace', () => {
  const runs = { seed: 7, numRuns: 100 };
  // Long runs of one outcome, so that λ moves and both flags go up.
  const traces = fc
    .array(
      fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 12 }), fc.double({ min: 1, max: 100, noNaN: true })),
      {
        minLength: 1,
        maxLength: 40,
      },
    )
    .map((blocks) =>
      blocks.flatMap(([ok, length, reg]) =>
        Array.from({ length }, (_, i) => ({ asr: ok ? 0.995 : 0.5, reg: reg + ((i * 7) % 5) })),
      ),
    );

  it('λ is initCost · 2^(rises − 1.5 falls), counted from the step at which it left 0', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        const successes = trace.map((step) => step.asr >= 0.99);
        const left = successes.findIndex((_, i) => i >= 4 && successes.slice(i - 4, i + 1).every(Boolean));
        let [rises, falls, length] = [0, 0, 0];
        for (const [i, { state }] of run(trace).entries()) {
          if (left === -1 || i < left) {
            expect(state.cost).toBe(0);
            continue;
          }
          if (state.stopped === 'early-stop') break;
          length = i > left && successes[i] === successes[i - 1] ? length + 1 : 1;
          if (length % 5 === 0 && successes[i]) rises++;
          if (length % 5 === 0 && !successes[i]) falls++;
          expect(state.cost / (1e-3 * 2 ** (rises - 1.5 * falls))).toBeCloseTo(1, 9);
        }
      }),
      runs,
    );
  });

  it('λ is never negative, and the best norm is the running minimum of the successful ones', () => {
    fc.assert(
      fc.property(traces, (trace) => {
        let smallest = Number.POSITIVE_INFINITY;
        for (const [i, { state, improved }] of run(trace).entries()) {
          const { asr, reg } = trace[i]!;
          const smaller = asr >= 0.99 && reg < smallest;
          if (smaller) smallest = reg;
          expect(improved).toBe(smaller);
          expect(state.regBest ?? Number.POSITIVE_INFINITY).toBe(smallest);
          expect(state.cost).toBeGreaterThanOrEqual(0);
        }
      }),
      runs,
    );
  });

  it('a schedule resumed from JSON goes on as if it had not been interrupted', () => {
    fc.assert(
      fc.property(traces, fc.nat(200), (trace, at) => {
        const whole = run(trace);
        const cut = Math.min(at, whole.length - 1);
        let state: ScheduleState = JSON.parse(
          JSON.stringify(cut === 0 ? createSchedule() : whole[cut - 1]!.state),
        );
        for (const [i, step] of trace.slice(cut, whole.length).entries()) {
          const outcome = advance(state, step);
          expect(outcome).toEqual(whole[cut + i]);
          state = outcome.state;
        }
      }),
      runs,
    );
  });
});
