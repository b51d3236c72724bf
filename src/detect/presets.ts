/** The two ways to run an inversion. */

import type { AnnealingConfig } from './annealing.ts';
import { type AdamSettings, originalAdam, type Regularizer } from './inversion-graph.ts';
import type { PairSearch } from './pairs.ts';
import { createSchedule, type ScheduleConfig } from './schedule.ts';
import type { Screening } from './screening.ts';
import type { SecondLook } from './second-look.ts';

export const presetNames = ['fast', 'paper'] as const;
export type PresetName = (typeof presetNames)[number];

/** `original`: the loop of the released code, which waits and stops early. `annealed`: a fixed number of steps. */
export type Schedule =
  | ({ readonly kind: 'original' } & Partial<ScheduleConfig>)
  | ({ readonly kind: 'annealed' } & AnnealingConfig);

/** Steps of one inversion, at most. */
export const stepsOf = ({ schedule }: Pick<InversionSettings, 'schedule'>): number =>
  schedule.kind === 'original' ? createSchedule(schedule).config.steps : schedule.steps;

export const withSteps = (settings: InversionSettings, steps: number): InversionSettings => ({
  ...settings,
  schedule: { ...settings.schedule, steps },
});

/** Of an inversion that goes on within a window; without a second look none does. */
export const confinedSteps = (settings: InversionSettings): number =>
  Math.min(settings.secondLook?.confined.steps ?? 0, stepsOf(settings));

export interface InversionSettings {
  /** Images in one mini-batch. */
  readonly batch: number;
  /** Mini-batches, each with an update, in one step of the schedule. */
  readonly miniBatches: number;
  readonly schedule: Schedule;
  readonly regularizer: Regularizer;
  /** Edge of the super-pixels of the mask, in pixels. */
  readonly upsample: number;
  readonly adam: AdamSettings;
  /** Leave images of the target class out of the optimisation: they are classified as the target anyway. */
  readonly excludeTarget: boolean;
  /**
   * What a mask must pass to be kept. `moving`: the ASR averaged over a step, while the parameters change (the original).
   * `frozen`: the ASR of the very mask that is kept, on images the optimisation has not seen, is less than a standard error
   * below the threshold.
   */
  readonly judge: 'moving' | 'frozen';
  /**
   * Starting points of one inversion. All are followed for `steps` steps, and only the one with the smallest mask then goes
   * on: many a start ends in a natural trigger of the target class instead of the planted one, and early masks tell.
   */
  readonly probes: { readonly count: number; readonly steps: number };
  /**
   * Whole inversions of each label; the smallest mask counts. All labels have as many: more tries for the suspects alone
   * would shrink exactly their masks, and every anomaly index would be larger than the null allows.
   */
  readonly starts: number;
  /**
   * The short run of each label, and how labels are screened where there are many; `null`: all are inverted to the end at once, and nothing is
   * decided early. With several starts they always are.
   */
  readonly screening: Screening | null;
  /** What is tried beyond on the labels with the smallest masks, where labels are not screened; `null`: nothing. */
  readonly secondLook: SecondLook | null;
  /** How pairs of a source and a target are scanned; absent: not at all. */
  readonly pairs?: PairSearch;
}

/** The schedule of `fast`. */
export const annealed: Schedule & { readonly kind: 'annealed' } = {
  kind: 'annealed',
  steps: 90,
  initCost: 0.02,
  minCost: 1e-4,
  maxCost: 0.1,
  gain: 0.03,
  attackSuccThreshold: 0.99,
  holdShare: 0.6,
  finalRate: 0.05,
  keepEvery: 10,
};

export const presets: Readonly<Record<PresetName, InversionSettings>> = {
  /** The loop of the original's released code: 31 = ⌊1000/32⌋ mini-batches a step, at most 1000 steps. */
  paper: {
    batch: 32,
    miniBatches: 31,
    schedule: { kind: 'original' },
    regularizer: 'l1',
    upsample: 1,
    adam: originalAdam,
    excludeTarget: false,
    judge: 'moving',
    probes: { count: 1, steps: 0 },
    starts: 1,
    screening: null,
    secondLook: null,
  },
  /** A twentieth of the steps of `paper`, each on a quarter of its images. Found on networks trained for that purpose. */
  fast: {
    batch: 8,
    miniBatches: 1,
    schedule: annealed,
    regularizer: 'l1',
    upsample: 1,
    adam: { ...originalAdam, learningRate: 0.3 },
    excludeTarget: true,
    judge: 'frozen',
    probes: { count: 3, steps: 12 },
    starts: 1,
    screening: { leastLabels: 100, probes: 3, steps: 12, references: 24 },
    secondLook: {
      starts: 3,
      confined: { steps: 45 },
      unlearning: { epochs: 3, images: 672, batch: 32, learningRate: 0.002, share: 0.5, starts: 2 },
    },
  },
};
