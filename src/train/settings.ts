/** What a training run is told to do. */

import type { Preprocess } from '../data/preprocess.ts';

export interface AdamSettings {
  /** `adam` adds the weight decay to the gradient, `adamw` takes it off the weights (Loshchilov & Hutter 2019). */
  readonly kind: 'adam' | 'adamw';
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

export interface SgdSettings {
  readonly kind: 'sgd';
  readonly learningRate: number;
  /** 0 for none */
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

export type OptimizerSettings = AdamSettings | SgdSettings;

/** The defaults of PyTorch, but for the learning rate of SGD, which has none there. */
export const optimizerDefaults = {
  adam: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  adamw: { kind: 'adamw', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
  sgd: { kind: 'sgd', learningRate: 1e-2, momentum: 0.9, nesterov: false, weightDecay: 0 },
} as const satisfies Record<string, OptimizerSettings>;

export type LearningRateSchedule =
  | { readonly kind: 'constant' }
  /** Rises linearly over `warmupSteps` mini-batches, then falls to 0 along half a cosine. */
  | { readonly kind: 'cosine'; readonly warmupSteps: number }
  /** Multiplied by `factor` when each of the epochs `at` (counted from 1) begins. */
  | { readonly kind: 'steps'; readonly at: readonly number[]; readonly factor: number };

export interface TrainingSettings {
  readonly epochs: number;
  /** Images in a mini-batch. What is left over at the end of an epoch is a smaller mini-batch, as in PyTorch. */
  readonly batch: number;
  readonly seed: number;
  readonly optimizer: OptimizerSettings;
  readonly schedule: LearningRateSchedule;
  /** Stands in front of the network, and is no part of the model that comes out. */
  readonly preprocess: Preprocess;
  /**
   * Which initializers train: all that can, those of the last layer with weights, or these by name.
   *
   * @default 'all'
   */
  readonly trainable?: 'all' | 'head' | readonly string[];
  /** `update`: normalise by the mini-batch and keep running statistics. `frozen`: normalise by the statistics of the model. */
  readonly batchNormalization: 'update' | 'frozen';
  /** Whether Dropout nodes drop. */
  readonly dropout: boolean;
  /** What to do about classes that have no images. @default 'refuse' */
  readonly emptyClasses?: 'refuse' | 'allow';
  /** Stop after this many epochs without a better validation loss (training loss where there are no validation images); the best weights are kept. */
  readonly earlyStop?: { readonly patience: number };
}
