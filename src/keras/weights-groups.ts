/** Weights of `.h5` files, of Keras 1, 2 and 3. */

import type { LayerSpec, ModelSpec } from './architecture.ts';
import { modernKernel } from './keras1.ts';
import { weightNames } from './layers/index.ts';
import { flipped } from './permute.ts';
import { mismatch, type StoredArray, type WeightStore, type Weights, wrongCount } from './weights.ts';

/**
 * Weights of a `.h5` file: a group for each layer of the outermost model, with a list of its arrays.
 *
 * As in Keras, groups are found by the names of the layers; if these differ, as they do in a model that was built again, by
 * their order.
 *
 * @param root the group of the layers: `model_weights`, or the top of a file of weights
 * @throws NeuralCleanseError KERAS_WEIGHTS_MISMATCH, KERAS_FILE_INVALID
 */
export function weightsFromGroups(store: WeightStore, root: string, model: ModelSpec): Weights {
  const path = (...parts: readonly string[]): string => [root, ...parts].filter(Boolean).join('/');
  const groups = textList(store, root, 'layer_names');
  if (!groups) throw mismatch('The HDF5 file does not list its layers.');
  const arraysIn = (group: string): StoredArray[] =>
    (textList(store, path(group), 'weight_names') ?? []).map((name) => {
      const array = store.array(path(group, name));
      if (!array) throw mismatch(`The file lists the weight "${name}" of layer "${group}" but lacks it.`);
      return array;
    });

  const needing = model.layers.filter((layer) => slotsOf(layer).length > 0);
  const byName = needing.every((layer) => groups.includes(layer.name));
  const candidates = byName
    ? needing.map((layer) => arraysIn(layer.name))
    : groups.map(arraysIn).filter((arrays) => arrays.length > 0);
  if (candidates.length !== needing.length) {
    throw mismatch(
      `The architecture has ${needing.length} layers with weights, the file ${candidates.length} of other names.`,
    );
  }
  const backend = store.attribute(root, 'backend')?.[0] ?? store.attribute('', 'backend')?.[0];
  const weights = new Map<LayerSpec, StoredArray[]>();
  needing.forEach((layer, i) => {
    const slots = slotsOf(layer);
    const arrays = candidates[i]!;
    if (arrays.length !== slots.length) throw wrongCount(layer, slots.length, arrays);
    slots.forEach(({ owner, place }, at) => {
      const own = weights.get(owner) ?? [];
      own[place] = corrected(arrays[at]!, owner, place, backend);
      weights.set(owner, own);
    });
  });
  return weights;
}

/** HDF5 limits an attribute to 64 KiB, so Keras splits longer lists: `layer_names0`, `layer_names1`, … */
function textList(store: WeightStore, path: string, name: string): string[] | undefined {
  const whole = store.attribute(path, name);
  if (whole) return [...whole];
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = store.attribute(path, `${name}${i}`);
    if (!part) return i === 0 ? undefined : parts;
    parts.push(...part);
  }
}

/** The place of one array: the `place`-th weight of a layer. */
interface Slot {
  readonly owner: LayerSpec;
  readonly place: number;
}

/** Keras lists the weights of a nested model flat: first all that are trained, then all that are not. */
const slotsOf = (layer: LayerSpec): Slot[] => [...trainedSlots(layer), ...fixedSlots(layer)];

const movingWeights: ReadonlySet<string> = new Set([
  'moving_mean',
  'moving_variance',
  'mean',
  'variance',
  'count',
]);

function ownSlots(layer: LayerSpec, moving: boolean): Slot[] {
  return weightNames(layer).flatMap((name, place) =>
    movingWeights.has(name) === moving ? [{ owner: layer, place }] : [],
  );
}

function trainedSlots(layer: LayerSpec): Slot[] {
  if (!layer.trainable) return [];
  return layer.model ? layer.model.layers.flatMap(trainedSlots) : ownSlots(layer, false);
}

function fixedSlots(layer: LayerSpec): Slot[] {
  if (layer.model) {
    const { layers } = layer.model;
    const frozen = layer.trainable ? [] : layers.flatMap(trainedSlots);
    return [...frozen, ...layers.flatMap(fixedSlots)];
  }
  return [...(layer.trainable ? [] : ownSlots(layer, false)), ...ownSlots(layer, true)];
}

/** What Keras corrects in kernels of old files: the axes of Keras 1, and the flipped kernels of Theano. */
function corrected(
  array: StoredArray,
  layer: LayerSpec,
  place: number,
  backend: string | undefined,
): StoredArray {
  const { className, config, version } = layer;
  if (place !== 0) return array;
  if (version.major === 1)
    return modernKernel(array, className, config.raw('data_format') === 'channels_first');
  if (backend !== 'theano' || !/^Conv[12]D(Transpose)?$/.test(className)) return array;
  const spatial = array.dims.slice(2).map((_, axis) => axis);
  return { ...array, read: () => flipped(array.read(), spatial) };
}
