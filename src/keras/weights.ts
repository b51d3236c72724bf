/** Where the weights of a layer come from, whatever kind of file holds them. */

import { NeuralCleanseError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { LayerSpec } from './architecture.ts';

/** An array of a file, not read yet. */
export interface StoredArray {
  /** As the file calls it, for messages. */
  readonly name: string;
  readonly dims: readonly number[];
  /** @throws NeuralCleanseError KERAS_FILE_INVALID */
  read(): Tensor<'float32'>;
}

/** What a HDF5 file offers. Paths have slashes, none at the ends; `''` is the top. */
export interface WeightStore {
  /** The texts of an attribute, one for a scalar; `undefined` where there is none. */
  attribute(path: string, name: string): readonly string[] | undefined;
  /** @throws NeuralCleanseError KERAS_FILE_INVALID for what is there and no array of numbers */
  array(path: string): StoredArray | undefined;
}

/** The arrays of each layer of a model, those of nested models included, in the order of `weightNames`. */
export type Weights = ReadonlyMap<LayerSpec, readonly StoredArray[]>;

/** KERAS_WEIGHTS_MISMATCH; `message` is a whole sentence. */
export const mismatch = (message: string): NeuralCleanseError =>
  new NeuralCleanseError('KERAS_WEIGHTS_MISMATCH', message, {
    hint: 'Architecture and weights must be of the same model.',
  });

export const wrongCount = (
  layer: LayerSpec,
  count: number,
  arrays: readonly StoredArray[],
): NeuralCleanseError =>
  mismatch(
    `${layer.config.owner} has ${count} weights, but the file holds ${arrays.length} for it${arrays.length > 0 ? ` (${arrays.map((a) => a.name).join(', ')})` : ''}.`,
  );
