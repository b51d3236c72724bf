/**
 * TensorFlow.js layers models: `model.json`, which names files with the weights of all layers, one after the other.
 *
 * @see https://github.com/tensorflow/tfjs/blob/master/tfjs-core/src/io/types.ts (WeightsManifestEntry)
 */

import { NeuralCleanseError } from '../errors.ts';
import { float16ToNumber, float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import { type Architecture, parseArchitecture } from './architecture.ts';
import { Fields, isObject, type JsonObject } from './fields.ts';
import type { StoredArray } from './weights.ts';

export interface TfjsModel {
  readonly architecture: Architecture;
  readonly groups: readonly TfjsGroup[];
}

/** Some weights, and the files whose bytes, joined, hold them. */
export interface TfjsGroup {
  /** Relative to the folder of `model.json`; as the file states them, so not to be trusted. */
  readonly paths: readonly string[];
  readonly weights: readonly JsonObject[];
}

const invalid = (message: string): NeuralCleanseError =>
  new NeuralCleanseError('KERAS_FILE_INVALID', message, { hint: 'Convert or download the model again.' });

/**
 * Parses `model.json`.
 *
 * @throws NeuralCleanseError KERAS_FILE_INVALID, KERAS_CONFIG_INVALID, KERAS_LAYER_UNSUPPORTED
 */
export function parseTfjs(json: JsonObject): TfjsModel {
  if (json.format === 'graph-model' || !isObject(json.modelTopology)) {
    throw new NeuralCleanseError(
      'KERAS_LAYER_UNSUPPORTED',
      'The TensorFlow.js file is a graph model, not a layers model.',
      {
        hint: 'Convert the model that it was made from to ONNX with tf2onnx.',
      },
    );
  }
  const topology = json.modelTopology;
  const config = isObject(topology.model_config) ? topology.model_config : topology;
  const version = typeof topology.keras_version === 'string' ? topology.keras_version : undefined;
  if (!Array.isArray(json.weightsManifest)) throw invalid('The model.json has no "weightsManifest".');
  const groups = json.weightsManifest.map((group: unknown): TfjsGroup => {
    const [paths, weights] = isObject(group) ? [group.paths, group.weights] : [];
    const isList = Array.isArray(paths) && Array.isArray(weights);
    if (!isList || !paths.every((p) => typeof p === 'string') || !weights.every(isObject)) {
      throw invalid('The "weightsManifest" of the model.json lists no paths or no weights.');
    }
    return { paths, weights };
  });
  // The versions of TensorFlow.js itself, "tfjs-layers 1.7.4", follow Keras 2.
  return {
    architecture: parseArchitecture(JSON.stringify(config), version?.replace(/^tfjs-layers.*/, '2')),
    groups,
  };
}

/** Bytes an element takes in the file. */
const widths: Readonly<Record<string, number>> = {
  float32: 4,
  float16: 2,
  int32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

/**
 * The arrays of a group.
 *
 * @param bytes the files of the group, joined
 * @throws NeuralCleanseError KERAS_FILE_INVALID where the files are too short, or a type is not known
 */
export function tfjsArrays(group: TfjsGroup, bytes: Uint8Array): StoredArray[] {
  let end = 0;
  return group.weights.map((entry) => {
    const fields = new Fields(entry, `Weight "${String(entry.name)}" of the model.json`);
    const name = fields.text('name');
    const dims = fields.wholes('shape', Array.isArray(entry.shape) ? entry.shape.length : 0, undefined, 0);
    const quantization = isObject(entry.quantization)
      ? new Fields(entry.quantization, fields.owner)
      : undefined;
    const dtype = (quantization ?? fields).text('dtype');
    const width = Object.hasOwn(widths, dtype) ? widths[dtype]! : undefined;
    if (width === undefined) throw fields.wrong('dtype', `one of ${Object.keys(widths).join(', ')}`);
    const start = end;
    end += sizeOf(dims) * width;
    if (end > bytes.length) {
      throw invalid(
        `Weight "${name}" lies in bytes ${start} to ${end} of ${group.paths.join(', ')}, which ${group.paths.length > 1 ? 'have' : 'has'} ${bytes.length}.`,
      );
    }
    const own = bytes.slice(start, end);
    return { name, dims, read: () => decoded(dims, own, dtype, quantization) };
  });
}

/** Quantised values are `q · scale + min`; half precision stands as it is. */
function decoded(
  dims: readonly number[],
  bytes: Uint8Array,
  dtype: string,
  quantization: Fields | undefined,
): Tensor<'float32'> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readers[dtype]!;
  const isScaled = quantization !== undefined && dtype !== 'float16';
  const [scale, min] = isScaled ? [quantization.number('scale'), quantization.number('min')] : [1, 0];
  const width = widths[dtype]!;
  const data = new Float32Array(sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = read(view, i * width) * scale + min;
  return float32(dims, data);
}

const readers: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  float32: (view, at) => view.getFloat32(at, true),
  float16: (view, at) => float16ToNumber(view.getUint16(at, true)),
  int32: (view, at) => view.getInt32(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
};
