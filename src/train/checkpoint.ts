/** The state of an unfinished training run as bytes: an ONNX file whose outputs are its tensors, with metadata. */

import { NeuralCleanseError } from '../errors.ts';
import { canonicalModel } from '../onnx/model.ts';
import { readModel } from '../onnx/read.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { writeModel } from '../onnx/write.ts';
import type { Measurement } from './evaluate.ts';
import type { EpochRecord, TrainingOutcome } from './outcome.ts';

/** Where a checkpoint is kept. */
export interface CheckpointStore {
  load(): Promise<Uint8Array | undefined>;
  /** Replaces what was saved before, in one step. */
  save(bytes: Uint8Array): Promise<void>;
}

/** What a run depends on; a checkpoint goes on only where all of it is the same. JSON. */
export type RunIdentity = Readonly<Record<string, unknown>>;

export interface RunPosition {
  /** The epoch to go on with, from 1. */
  readonly epoch: number;
  /** Mini-batches of it that are done. */
  readonly step: number;
  /** Sums over these. */
  readonly loss: number;
  readonly correct: number;
  readonly history: readonly EpochRecord[];
  /** The epoch whose weights are the best so far, and what they measured. */
  readonly best?: Measurement & { readonly epoch: number };
  /** Why there is nothing left to do. */
  readonly stopped?: TrainingOutcome['stopped'];
}

export interface Checkpoint {
  readonly position: RunPosition;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

const [identityKey, positionKey] = ['identity', 'position'];

export function writeCheckpoint(identity: RunIdentity, { position, tensors }: Checkpoint): Uint8Array {
  const outputs = [...tensors].map(([name, { dtype, dims }]) => ({ name, dtype, dims }));
  const graph = { name: 'checkpoint', inputs: [], outputs, nodes: [], initializers: tensors };
  const metadata = new Map([
    [identityKey, JSON.stringify(identity)],
    [positionKey, JSON.stringify(position)],
  ]);
  return writeModel({ ...canonicalModel(graph), metadata });
}

/**
 * @throws NeuralCleanseError CHECKPOINT_INVALID if the bytes are no checkpoint; CHECKPOINT_MISMATCH if it is one of another
 *   model, other data or other settings
 */
export function readCheckpoint(bytes: Uint8Array, identity: RunIdentity): Checkpoint {
  const { before, position, tensors } = parse(bytes);
  for (const [field, value] of Object.entries(identity)) {
    if (JSON.stringify(before[field]) === JSON.stringify(value)) continue;
    throw new NeuralCleanseError('CHECKPOINT_MISMATCH', `The checkpoint is of a run with another ${field}.`, {
      hint: 'Train with the model, data and settings of that run, or begin anew without the checkpoint.',
      data: { field, before: before[field], now: value },
    });
  }
  return { position, tensors };
}

function parse(bytes: Uint8Array): Checkpoint & { before: RunIdentity } {
  try {
    const { graph, metadata } = readModel(bytes);
    return {
      before: JSON.parse(metadata.get(identityKey)!) as RunIdentity,
      position: JSON.parse(metadata.get(positionKey)!) as RunPosition,
      tensors: graph.initializers,
    };
  } catch (cause) {
    throw new NeuralCleanseError('CHECKPOINT_INVALID', 'The checkpoint cannot be read.', {
      hint: 'Begin anew without it.',
      cause,
    });
  }
}
