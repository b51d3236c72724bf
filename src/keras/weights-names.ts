/** Weights of TensorFlow.js models. */

import type { LayerSpec, ModelSpec } from './architecture.ts';
import { weightNames } from './layers/index.ts';
import { mismatch, type StoredArray, type Weights } from './weights.ts';

/**
 * Weights by name, as TensorFlow.js lists them: `layer/weight`, perhaps behind the names of the models around it.
 *
 * @throws NeuralCleanseError KERAS_WEIGHTS_MISMATCH
 */
export function weightsByName(arrays: readonly StoredArray[], model: ModelSpec): Weights {
  const endings = new Map<string, StoredArray[]>();
  for (const array of arrays) {
    const ending = array.name.split('/').slice(-2).join('/');
    endings.set(ending, [...(endings.get(ending) ?? []), array]);
  }
  const weights = new Map<LayerSpec, StoredArray[]>();
  const visit = ({ layers }: ModelSpec): void => {
    for (const layer of layers) {
      if (layer.model) visit(layer.model);
      const own = weightNames(layer).map((name) => {
        const [array, second] = endings.get(`${layer.name}/${name}`) ?? [];
        if (!array) throw mismatch(`${layer.config.owner} has a weight "${name}", which the files lack.`);
        if (second) throw mismatch(`The files hold two weights "${layer.name}/${name}".`);
        return array;
      });
      weights.set(layer, own);
    }
  };
  visit(model);
  return weights;
}
