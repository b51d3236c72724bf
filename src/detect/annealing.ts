/**
 * The schedule of preset `fast`: a fixed number of steps, λ that follows every mini-batch, and a learning rate that is held
 * and then falls.
 *
 * λ is a stochastic approximation (Robbins & Monro 1951) of the weight at which the attack succeeds at exactly the threshold:
 * log λ rises by `gain` where a whole mini-batch succeeds, and by (1 − failures / (1 − threshold)) · gain in general, which
 * is 0 in the mean at the threshold. The original waits for five successes in a row instead and stops when nothing has
 * improved for long, so that most of its steps are waiting. A falling learning rate takes the noise out of the last masks,
 * for which the original's many images a step serve.
 *
 * A pure state machine on plain JSON, as schedule.ts.
 */

import { NeuralCleanseError } from '../errors.ts';
import type { Advance, StepMeasurement } from './schedule.ts';

export interface AnnealingConfig {
  /** Steps, each of one mini-batch. */
  readonly steps: number;
  /** λ of the first step. */
  readonly initCost: number;
  /** λ stays within [minCost, maxCost]. */
  readonly minCost: number;
  readonly maxCost: number;
  /** Rise of log λ after a mini-batch without failures. */
  readonly gain: number;
  /** Attack success rate that λ is steered to. */
  readonly attackSuccThreshold: number;
  /** Share of the steps with the full learning rate. */
  readonly holdShare: number;
  /** Factor to which the learning rate has fallen in the last step, along a cosine. */
  readonly finalRate: number;
  /** From a third of the steps on, every so many leave a trigger to be judged; the last always does. */
  readonly keepEvery: number;
}

export interface AnnealingState {
  readonly config: AnnealingConfig;
  /** Steps done. */
  readonly step: number;
  /** λ of the next step. */
  readonly cost: number;
  readonly stopped: 'steps' | null;
}

/**
 * log λ falls by at most this many gains a step, so that one hopeless mini-batch does not undo all. At a threshold of 99 % one failure among eight
 * images is 12, so that it counts in full. Less would press masks harder; that makes planted ones smaller, and found no more (docs/scan.md).
 */
const steepestFall = 12;

/**
 * The state before the first step.
 *
 * @throws NeuralCleanseError SETTING_INVALID
 */
export function createAnnealing(config: AnnealingConfig): AnnealingState {
  check(config);
  return { config, step: 0, cost: config.initCost, stopped: null };
}

/**
 * Takes in what a mini-batch measured. One that measured NaN counts as a failure.
 *
 * @returns the next state, and whether the trigger is one to keep
 * @throws NeuralCleanseError INTERNAL if all steps are done
 */
export function anneal(
  before: AnnealingState,
  { asr }: StepMeasurement,
): Omit<Advance, 'state'> & { readonly state: AnnealingState } {
  const { config } = before;
  if (before.stopped !== null)
    throw new NeuralCleanseError('INTERNAL', 'A step was taken after the last one.');
  const failures = Number.isFinite(asr) ? 1 - asr : 1;
  const balance = 1 - failures / (1 - config.attackSuccThreshold);
  const raised = before.cost * Math.exp(config.gain * Math.max(balance, -steepestFall));
  const step = before.step + 1;
  const isLast = step >= config.steps;
  const state: AnnealingState = {
    config,
    step,
    cost: Math.min(Math.max(raised, config.minCost), config.maxCost),
    stopped: isLast ? 'steps' : null,
  };
  return { state, improved: isLast || (3 * step >= config.steps && step % config.keepEvery === 0) };
}

/** By what the learning rate of the next step is multiplied. */
export function rateFactor({ step, config: { steps, holdShare, finalRate } }: AnnealingState): number {
  const falling = (step / steps - holdShare) / (1 - holdShare);
  if (!(falling > 0)) return 1;
  return finalRate + (1 - finalRate) * (0.5 + 0.5 * Math.cos(Math.PI * falling));
}

function check(config: AnnealingConfig): void {
  const rules: Record<
    keyof AnnealingConfig,
    readonly [isValid: (value: number) => boolean, expected: string]
  > = {
    steps: [isCount, 'a whole number ≥ 1'],
    keepEvery: [isCount, 'a whole number ≥ 1'],
    gain: [isPositive, 'a number > 0'],
    minCost: [isPositive, 'a number > 0'],
    maxCost: [
      (value) => value >= config.minCost && Number.isFinite(value),
      `a number ≥ minCost (${config.minCost})`,
    ],
    initCost: [
      (value) => value >= config.minCost && value <= config.maxCost,
      `a number in [${config.minCost}, ${config.maxCost}]`,
    ],
    // At 1 the weight could never rise again.
    attackSuccThreshold: [(value) => value > 0 && value < 1, 'a rate in (0, 1)'],
    holdShare: [(value) => value >= 0 && value <= 1, 'a share in [0, 1]'],
    finalRate: [(value) => value > 0 && value <= 1, 'a factor in (0, 1]'],
  };
  for (const [name, [isValid, expected]] of Object.entries(rules)) {
    const value = config[name as keyof AnnealingConfig];
    if (isValid(value)) continue;
    throw new NeuralCleanseError('SETTING_INVALID', `The schedule setting ${name} is ${value}.`, {
      hint: `Give ${expected}.`,
      data: { name, value },
    });
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
const isPositive = (value: number): boolean => Number.isFinite(value) && value > 0;
