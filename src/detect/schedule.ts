/**
 * The schedule of one inversion: which weight λ the mask norm has in each step, which step's trigger is kept,
 * and when to stop.
 *
 * A pure state machine. The state is plain JSON, so that an interrupted inversion resumes where it stood.
 *
 * Source: the optimisation loop of the authors' released code (Wang et al., IEEE S&P 2019), whose names the
 * settings keep; "cost" is λ.
 */

import { NeuralCleanseError } from '../errors.ts';

export interface ScheduleConfig {
  /** Most steps; one step is a pass over the mini-batches. @default 1000 */
  readonly steps: number;
  /** λ once the attack has succeeded for the first time. @default 1e-3 */
  readonly initCost: number;
  /** Start with λ = 0, until the attack has succeeded for `patience` steps in a row. @default true */
  readonly resetCostToZero: boolean;
  /** Attack success rate, averaged over a step, from which a step counts as a success. @default 0.99 */
  readonly attackSuccThreshold: number;
  /** Successes or failures in a row after which λ changes. @default 5 */
  readonly patience: number;
  /** λ rises by this factor and falls by its power 1.5. @default 2 */
  readonly costMultiplier: number;
  /** λ never rises above this; `null` leaves it unbounded, as the original does. @default null */
  readonly maxCost: number | null;
  /** Whether to stop before `steps`. @default true */
  readonly earlyStop: boolean;
  /**
   * A step is no progress if its best norm is at least this multiple of the best norm before it. @default 1
   */
  readonly earlyStopThreshold: number;
  /**
   * Steps in a row without progress after which to stop, if λ has both risen and fallen. @default 5 ·
   * patience
   */
  readonly earlyStopPatience: number;
}

/** What one step measured, each averaged over its mini-batches. */
export interface StepMeasurement {
  /** Attack success rate in [0, 1]. */
  readonly asr: number;
  /** Regulariser: the norm of the mask, for L1 in pixels. */
  readonly reg: number;
}

/** `early-stop`: no progress any more; `steps`: all steps are done. */
export type StopReason = 'early-stop' | 'steps';

export interface ScheduleState {
  readonly config: ScheduleConfig;
  /** Steps done. */
  readonly step: number;
  /** λ of the next step. */
  readonly cost: number;
  /** Smallest norm among the successful steps; `null` while there is none. Never increases. */
  readonly regBest: number | null;
  readonly costSetCounter: number;
  readonly costUpCounter: number;
  readonly costDownCounter: number;
  readonly costUpFlag: boolean;
  readonly costDownFlag: boolean;
  readonly earlyStopCounter: number;
  /** Why no further step is due; `null` while one is. */
  readonly stopped: StopReason | null;
}

export interface Advance {
  readonly state: ScheduleState;
  /**
   * Whether this step has the smallest norm of all successful ones so far, so that its trigger is the one to
   * keep.
   */
  readonly improved: boolean;
}

/**
 * The state before the first step.
 *
 * @param settings what differs from the original's defaults
 * @throws NeuralCleanseError SETTING_INVALID
 */
export function createSchedule(settings: Partial<ScheduleConfig> = {}): ScheduleState {
  const config = {
    steps: 1000,
    initCost: 1e-3,
    resetCostToZero: true,
    attackSuccThreshold: 0.99,
    patience: 5,
    costMultiplier: 2,
    maxCost: null,
    earlyStop: true,
    earlyStopThreshold: 1,
    earlyStopPatience: 5 * (settings.patience ?? 5),
    ...settings,
  };
  checkConfig(config);
  return {
    config,
    step: 0,
    cost: config.resetCostToZero ? 0 : config.initCost,
    regBest: null,
    costSetCounter: 0,
    costUpCounter: 0,
    costDownCounter: 0,
    costUpFlag: false,
    costDownFlag: false,
    earlyStopCounter: 0,
    stopped: null,
  };
}

/**
 * Takes in what a step measured. A step whose measurements are NaN counts as a failure.
 *
 * The order is the original's: keep the best, look for an early stop, let λ leave 0, count, change λ. So the
 * step at which λ leaves 0 already counts towards its first rise, and a flag that goes up can stop the next
 * step at the earliest.
 *
 * @throws NeuralCleanseError INTERNAL if the schedule has stopped
 */
export function advance(before: ScheduleState, { asr, reg }: StepMeasurement): Advance {
  const { config } = before;
  if (before.stopped !== null) {
    throw new NeuralCleanseError(
      'INTERNAL',
      `A step was taken after the schedule had stopped (${before.stopped}).`,
    );
  }
  const success = asr >= config.attackSuccThreshold;
  const improved = success && reg < (before.regBest ?? Number.POSITIVE_INFINITY);
  const regBest = improved ? reg : before.regBest;
  const step = before.step + 1;

  const earlyStopCounter = countWithoutProgress(before, regBest);
  const exhausted = before.costUpFlag && before.costDownFlag && earlyStopCounter >= config.earlyStopPatience;
  if (config.earlyStop && exhausted) {
    return { state: { ...before, step, regBest, earlyStopCounter, stopped: 'early-stop' }, improved };
  }

  const state = {
    ...before,
    ...changeCost(leaveZero(before, success), success),
    step,
    regBest,
    earlyStopCounter,
    stopped: step >= config.steps ? ('steps' as const) : null,
  };
  return { state, improved };
}

/**
 * Whether no step reached the ASR threshold, so that the trigger is unusable and the label's norm unknown.
 * The original silently takes the last mask instead.
 */
export const isCensored = (state: ScheduleState): boolean => state.regBest === null;

/** Counts only once a success is known; the first success is progress. */
function countWithoutProgress(before: ScheduleState, regBest: number | null): number {
  if (regBest === null) return before.earlyStopCounter;
  const previous = before.regBest ?? Number.POSITIVE_INFINITY;
  return regBest >= before.config.earlyStopThreshold * previous ? before.earlyStopCounter + 1 : 0;
}

/**
 * After `patience` successes in a row at λ = 0, λ becomes `initCost` and everything counted so far is
 * forgotten.
 */
function leaveZero(state: ScheduleState, success: boolean): ScheduleState {
  if (state.cost !== 0 || !success) return { ...state, costSetCounter: 0 };
  const costSetCounter = state.costSetCounter + 1;
  if (costSetCounter < state.config.patience) return { ...state, costSetCounter };
  return {
    ...state,
    cost: state.config.initCost,
    costSetCounter: 0,
    costUpCounter: 0,
    costDownCounter: 0,
    costUpFlag: false,
    costDownFlag: false,
  };
}

/** Counts successes and failures in a row, also at λ = 0 (which both factors leave at 0). */
function changeCost(state: ScheduleState, success: boolean): ScheduleState {
  const { patience, costMultiplier, maxCost } = state.config;
  const costUpCounter = success ? state.costUpCounter + 1 : 0;
  const costDownCounter = success ? 0 : state.costDownCounter + 1;
  if (costUpCounter >= patience) {
    const raised = state.cost * costMultiplier;
    const cost = maxCost === null ? raised : Math.min(raised, maxCost);
    return { ...state, cost, costUpCounter: 0, costDownCounter, costUpFlag: true };
  }
  if (costDownCounter >= patience) {
    return {
      ...state,
      cost: state.cost / costMultiplier ** 1.5,
      costUpCounter,
      costDownCounter: 0,
      costDownFlag: true,
    };
  }
  return { ...state, costUpCounter, costDownCounter };
}

function checkConfig(config: ScheduleConfig): void {
  const counts = ['steps', 'patience', 'earlyStopPatience'] as const;
  for (const name of counts) {
    if (!(Number.isSafeInteger(config[name]) && config[name] >= 1))
      throw invalid(name, config[name], 'a whole number ≥ 1');
  }
  const { initCost, attackSuccThreshold, costMultiplier, maxCost, earlyStopThreshold } = config;
  if (!isPositive(initCost)) throw invalid('initCost', initCost, 'a number > 0');
  if (!(attackSuccThreshold > 0 && attackSuccThreshold <= 1)) {
    throw invalid('attackSuccThreshold', attackSuccThreshold, 'a rate in (0, 1]');
  }
  if (!(isPositive(costMultiplier) && costMultiplier > 1))
    throw invalid('costMultiplier', costMultiplier, 'a number > 1');
  if (maxCost !== null && !(isPositive(maxCost) && maxCost >= initCost)) {
    throw invalid('maxCost', maxCost, `null or a number ≥ initCost (${initCost})`);
  }
  if (!(isPositive(earlyStopThreshold) && earlyStopThreshold <= 1)) {
    throw invalid('earlyStopThreshold', earlyStopThreshold, 'a number in (0, 1]');
  }
}

const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;

function invalid(name: string, value: unknown, expected: string): NeuralCleanseError {
  return new NeuralCleanseError('SETTING_INVALID', `The schedule setting ${name} is ${String(value)}.`, {
    hint: `Give ${expected}.`,
    data: { name, value },
  });
}
