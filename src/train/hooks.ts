/** What a training run calls, and what it is given beside its settings. */

import type { Model } from '../onnx/graph.ts';
import type { SessionOptions } from '../runtime/session.ts';
import type { CheckpointStore } from './checkpoint.ts';
import type { EpochRecord, TrainingProgress } from './outcome.ts';
import type { TrainingSet } from './training-set.ts';

export interface TrainingHooks {
  /** Measured after each epoch. */
  readonly validation?: TrainingSet;
  readonly signal?: AbortSignal;
  /** Called after each mini-batch. */
  readonly progress?: (progress: TrainingProgress) => void;
  /** A run whose state is in the store goes on from there. Saved after each epoch. */
  readonly checkpoint?: CheckpointStore;
  /** Save also after every so many mini-batches. */
  readonly checkpointSteps?: number;
  /**
   * Called after each epoch, before that is saved: once more if the run is killed in between.
   *
   * @returns whether to stop
   */
  readonly afterEpoch?: (record: EpochRecord, model: () => Model) => boolean | Promise<boolean>;
  /** @default two threads on the CPU */
  readonly session?: SessionOptions;
}
