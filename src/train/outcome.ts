/** What a training run reports while it goes and when it ends. */

import type { Model } from '../onnx/graph.ts';
import type { Measurement } from './evaluate.ts';

export interface TrainingProgress {
  /** From 1. */
  readonly epoch: number;
  /** Mini-batches done in this epoch. */
  readonly step: number;
  /** Mini-batches of an epoch. */
  readonly steps: number;
  /** Mean cross entropy over the epoch so far, measured while the weights move. */
  readonly loss: number;
  readonly accuracy: number;
  /** Until the last epoch ends. */
  readonly secondsLeft: number;
}

/** Loss and accuracy are those of {@link TrainingProgress} at the end of the epoch. */
export interface EpochRecord extends Measurement {
  readonly epoch: number;
  /** Of the weights after the epoch. */
  readonly validation?: Measurement;
  /** Of the last mini-batch. */
  readonly learningRate: number;
}

export interface TrainingOutcome {
  /** The model that was given, with new weights: names, operator set, layout and head are its own. */
  readonly model: Model;
  readonly history: readonly EpochRecord[];
  readonly stopped: 'epochs' | 'early-stop' | 'callback';
  /** Of this call, which may have gone on from a checkpoint. */
  readonly seconds: number;
  /** Of that, inside the step graph. */
  readonly runtimeMs: number;
}
