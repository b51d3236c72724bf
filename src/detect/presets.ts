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
  /** Inversions of the labels with the smallest masks that are started again from another point. */
  readonly secondStarts: number;
}

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
    secondStarts: 0,
  },
  /** One mini-batch a step, so that λ reacts 31 times as often, and a mask that is judged as it is saved. */
  fast: {
    batch: 32,
    miniBatches: 1,
    window: 8,
    schedule: { steps: 300, maxCost: 0.1 },
    regularizer: 'l1',
    upsample: 1,
    adam: originalAdam,
    excludeTarget: true,
    judge: 'frozen',
    secondStarts: 3,
  },
};
