/** The learning rate over a run. */

import type { LearningRateSchedule } from './settings.ts';

/**
 * @param step mini-batches done before this one, from 0, over the whole run
 * @param stepsPerEpoch mini-batches of an epoch
 */
export function learningRateAt(
  schedule: LearningRateSchedule,
  learningRate: number,
  step: number,
  { stepsPerEpoch, epochs }: { readonly stepsPerEpoch: number; readonly epochs: number },
): number {
  switch (schedule.kind) {
    case 'constant':
      return learningRate;
    case 'cosine': {
      const { warmupSteps } = schedule;
      if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
      const progress = (step - warmupSteps) / Math.max(1, stepsPerEpoch * epochs - warmupSteps);
      return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
    }
    case 'steps': {
      const epoch = 1 + Math.floor(step / stepsPerEpoch);
      return learningRate * schedule.factor ** schedule.at.filter((at) => at <= epoch).length;
    }
  }
}
