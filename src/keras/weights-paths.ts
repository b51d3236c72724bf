/** Weights of `.keras` archives and of `model.weights.h5`. */

import type { LayerSpec, ModelSpec } from './architecture.ts';
import { weightNames } from './layers/index.ts';
import { type StoredArray, type WeightStore, type Weights, wrongCount } from './weights.ts';

/**
 * Weights of `model.weights.h5` (Keras 3, and the `.keras` files of tf.keras): arrays by number, in groups called after the
 * classes of the layers, those of one class numbered in order.
 *
 * @throws NeuralCleanseError KERAS_WEIGHTS_MISMATCH, KERAS_FILE_INVALID
 */
export function weightsFromPaths(store: WeightStore, model: ModelSpec): Weights {
  const weights = new Map<LayerSpec, StoredArray[]>();
  const visit = ({ layers }: ModelSpec, path: string): void => {
    const counts = new Map<string, number>();
    for (const layer of layers) {
      // Only tf.keras counts operations as layers; they share no class name with layers there.
      if (layer.isOperation) continue;
      const base = snakeCase(layer.className);
      const count = counts.get(base) ?? 0;
      counts.set(base, count + 1);
      const group = `${path}layers/${count === 0 ? base : `${base}_${count}`}`;
      if (layer.model) visit(layer.model, `${group}/`);
      else weights.set(layer, numbered(store, `${group}/vars`, layer));
    }
  };
  visit(model, '');
  return weights;
}

function numbered(store: WeightStore, path: string, layer: LayerSpec): StoredArray[] {
  const names = weightNames(layer);
  const arrays = names.map((_, i) => store.array(`${path}/${i}`));
  const found = arrays.filter((array) => array !== undefined);
  if (found.length < names.length) throw wrongCount(layer, names.length, found);
  return found;
}

/** `DepthwiseConv2D` -> `depthwise_conv2d`, as keras.src.utils.naming.to_snake_case. */
const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
