/** The two schedules behind one face, as an inversion follows them. */

import { anneal, createAnnealing, rateFactor } from './annealing.ts';
import type { Schedule } from './presets.ts';
import { advance, createSchedule, type StepMeasurement, type StopReason } from './schedule.ts';

export interface Course {
  /** Steps done. */
  readonly step: number;
  /** λ of the next step. */
  readonly cost: number;
  /** By what the learning rate of the next step is multiplied. */
  readonly rateFactor: number;
  /** Why no further step is due; `null` while one is. */
  readonly stopped: StopReason | null;
  readonly attackSuccThreshold: number;
  /** Takes in a step; returns whether its trigger is one to keep. */
  advance(measured: StepMeasurement): boolean;
}

/** @throws NeuralCleanseError SETTING_INVALID */
export const openCourse = (schedule: Schedule): Course =>
  schedule.kind === 'annealed'
    ? follow(createAnnealing(schedule), anneal, rateFactor)
    : follow(createSchedule(schedule), advance, () => 1);

interface State {
  readonly step: number;
  readonly cost: number;
  readonly stopped: StopReason | null;
  readonly config: { readonly attackSuccThreshold: number };
}

function follow<S extends State>(
  first: S,
  next: (state: S, measured: StepMeasurement) => { readonly state: S; readonly improved: boolean },
  rate: (state: S) => number,
): Course {
  let state = first;
  return {
    get step() {
      return state.step;
    },
    get cost() {
      return state.cost;
    },
    get rateFactor() {
      return rate(state);
    },
    get stopped() {
      return state.stopped;
    },
    attackSuccThreshold: first.config.attackSuccThreshold,
    advance(measured) {
      const { state: after, improved } = next(state, measured);
      state = after;
      return improved;
    },
  };
}
