/** Models in memory: an architecture as JSON and arrays by name. */

import { parseArchitecture } from '../../src/keras/architecture.ts';
import { convertKeras } from '../../src/keras/convert.ts';
import type { StoredArray, WeightStore } from '../../src/keras/weights.ts';
import { weightsByName } from '../../src/keras/weights-names.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { float32, sizeOf } from '../../src/onnx/tensor.ts';

/** An array of 1, 2, 3, … */
export const array = (name: string, dims: readonly number[]): StoredArray => ({
  name,
  dims,
  read: () =>
    float32(
      dims,
      Float32Array.from({ length: sizeOf(dims) }, (_, i) => i + 1),
    ),
});

export type Json = Record<string, unknown>;

/** A layer as Keras 2 writes it. `from` names the layers that it is called on; `undefined` in a sequential model. */
export const layer = (
  className: string,
  name: string,
  config: Json = {},
  from?: readonly string[],
): Json => ({
  class_name: className,
  name,
  config: { name, ...config },
  ...(from && { inbound_nodes: from.length > 0 ? [from.map((source) => [source, 0, 0, {}])] : [] }),
});

export const input = (name: string, ...shape: (number | null)[]): Json =>
  layer('InputLayer', name, { batch_input_shape: [null, ...shape] }, []);

export const sequential = (...layers: readonly Json[]): Json => ({
  class_name: 'Sequential',
  keras_version: '2.15.0',
  config: { name: 'net', layers },
});

/** The first layers are inputs; the outputs are named. */
export const functional = (layers: readonly Json[], outputs: readonly string[]): Json => ({
  class_name: 'Functional',
  keras_version: '2.15.0',
  config: {
    name: 'net',
    layers,
    input_layers: layers.filter((l) => l.class_name === 'InputLayer').map((l) => [l.name, 0, 0]),
    output_layers: outputs.map((name) => [name, 0, 0]),
  },
});

export function convert(json: Json, arrays: readonly StoredArray[] = []): Model {
  const architecture = parseArchitecture(JSON.stringify(json));
  return convertKeras(architecture, weightsByName(arrays, architecture.model));
}

/** A store of groups: attributes by path, arrays by path. */
export const storeOf = (
  attributes: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>,
  arrays: readonly StoredArray[],
): WeightStore => ({
  attribute: (path, name) => attributes[path]?.[name],
  array: (path) => arrays.find((a) => a.name === path),
});
