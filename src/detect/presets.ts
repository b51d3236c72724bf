/** The two ways to run an inversion. */

import { type AdamSettings, originalAdam, type Regularizer } from './inversion-graph.ts';
import type { ScheduleConfig } from './schedule.ts';

export const presetNames = ['fast', 'paper'] as const;
export type PresetName = (typeof presetNames)[number];

export interface InversionSettings {
  /** Images in one mini-batch. */
  readonly batch: number;
  /** Mini-batches, each with an update, in one step of the schedule. */
  readonly miniBatches: number;
  /** Steps whose ASR is averaged before the schedule sees it: one mini-batch alone decides λ by chance. */
  readonly window: number;
  readonly schedule: Partial<ScheduleConfig>;
  readonly regularizer: Regularizer;
  /** Edge of the super-pixels of the mask, in pixels. */
  readonly upsample: number;
  readonly adam: AdamSettings;
  /** Leave images of the target class out of the optimisation: they are classified as the target anyway. */
  readonly excludeTarget: boolean;
  /**
   * What a mask must pass to be kept. `moving`: the ASR averaged over a step, while the parameters change (the original).
   * `frozen`: the ASR of the very mask that is kept, on images the optimisation has not seen.
   */
  readonly judge: 'moving' | 'frozen';
  /**
   * Share of the labels, those with the smallest masks, that are inverted again from another point. About one start in eight
   * ends in a natural trigger of the target class instead of the planted one, though still below the median.
   */
  readonly secondStartShare: number;
}

/** How many of `labels` labels are inverted again. */
export const secondStartsOf = ({ secondStartShare }: InversionSettings, labels: number): number =>
  Math.min(labels, Math.ceil(secondStartShare * labels));

export const presets: Readonly<Record<PresetName, InversionSettings>> = {
  /** The loop of the original's released code: 31 = ⌊1000/32⌋ mini-batches a step, at most 1000 steps. */
  paper: {
    batch: 32,
    miniBatches: 31,
    window: 1,
    schedule: {},
    regularizer: 'l1',
    upsample: 1,
    adam: originalAdam,
    excludeTarget: false,
    judge: 'moving',
    secondStartShare: 0,
  },
  /**
   * One mini-batch of 8 a step. Eight images reach the same masks as 32 for a third of the time, if λ moves slowly: it sees the
   * ASR over 16 mini-batches and changes after 12 successes or failures, by less. Faster schedules stop early, in one of
   * eight starts with a mask that had hardly begun to shrink.
   */
  fast: {
    batch: 8,
    miniBatches: 1,
    window: 16,
    schedule: { steps: 600, maxCost: 0.1, patience: 12, costMultiplier: 1.5 },
    regularizer: 'l1',
    upsample: 1,
    adam: originalAdam,
    excludeTarget: true,
    judge: 'frozen',
    secondStartShare: 0.5,
  },
};
