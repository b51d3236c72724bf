/**
 * Layers of Keras 1 in the words of Keras 2.
 *
 * Source: keras 2.2.4, keras/legacy/interfaces.py (arguments) and keras/engine/saving.py preprocess_weights_for_loading (kernels).
 */

import { invalidConfig, type JsonObject } from './fields.ts';
import { permuted } from './permute.ts';
import type { StoredArray } from './weights.ts';

interface ModernLayer {
  readonly class_name: string;
  readonly config: JsonObject;
}

const classNames: Readonly<Record<string, string>> = {
  Convolution1D: 'Conv1D',
  Convolution2D: 'Conv2D',
  AtrousConvolution1D: 'Conv1D',
  AtrousConvolution2D: 'Conv2D',
  Deconvolution2D: 'Conv2DTranspose',
  SeparableConvolution2D: 'SeparableConv2D',
};

/** Keys that mean the same in every layer. */
const keys: Readonly<Record<string, string>> = {
  nb_filter: 'filters',
  subsample: 'strides',
  subsample_length: 'strides',
  stride: 'strides',
  pool_length: 'pool_size',
  filter_length: 'kernel_size',
  border_mode: 'padding',
  atrous_rate: 'dilation_rate',
  bias: 'use_bias',
  length: 'size',
};

const merges: Readonly<Record<string, string>> = {
  sum: 'Add',
  mul: 'Multiply',
  ave: 'Average',
  max: 'Maximum',
  concat: 'Concatenate',
};

/**
 * @param channelsFirst where layers over images have their channels that do not say so (ZeroPadding2D never does)
 * @throws NeuralCleanseError KERAS_CONFIG_INVALID
 */
export function modernLayer(className: string, config: JsonObject, channelsFirst: boolean): ModernLayer {
  const renamed = Object.entries(config).map(([key, value]): [string, unknown] =>
    key === 'dim_ordering'
      ? ['data_format', value === 'th' ? 'channels_first' : 'channels_last']
      : [className === 'Dense' && key === 'output_dim' ? 'units' : (keys[key] ?? key), value],
  );
  const modern: Record<string, unknown> = Object.fromEntries(renamed);
  if ('nb_row' in config) modern.kernel_size = [config.nb_row, config.nb_col];
  if (channelsFirst && className.endsWith('2D')) modern.data_format ??= 'channels_first';
  if (className === 'BatchNormalization' && (config.mode ?? 0) !== 0) {
    throw invalidConfig(
      `Layer "${String(config.name)}" (BatchNormalization) has the mode ${String(config.mode)}, which normalises by the batch at hand.`,
    );
  }
  if (className === 'Merge')
    return { class_name: mergeClass(config), config: { ...modern, axis: config.concat_axis ?? -1 } };
  return { class_name: classNames[className] ?? className, config: modern };
}

function mergeClass(config: JsonObject): string {
  const merge = merges[String(config.mode)];
  if (merge === undefined) {
    throw invalidConfig(
      `Layer "${String(config.name)}" (Merge) has the mode ${JSON.stringify(config.mode)?.slice(0, 60)}, not one of ${Object.keys(merges).join(', ')}.`,
    );
  }
  return merge;
}

/**
 * The kernel of a Keras 1 layer in the order of axes that Keras 2 has.
 *
 * @param className in the words of Keras 2
 */
export function modernKernel(kernel: StoredArray, className: string, channelsFirst: boolean): StoredArray {
  if (className === 'Conv1D' && kernel.dims.length === 4) {
    // [length, 1, in, out]; Keras 1.0 and 1.1: [out, in, length, 1]
    const early = kernel.dims[1] !== 1 && kernel.dims[3] === 1;
    const ordered = early ? reordered(kernel, [2, 3, 1, 0]) : kernel;
    return { ...ordered, dims: ordered.dims.filter((_, axis) => axis !== 1), read: () => flat(ordered) };
  }
  if (kernel.dims.length !== 4) return kernel;
  if (className === 'Conv2D') return channelsFirst ? reordered(kernel, [2, 3, 1, 0]) : kernel;
  if (className !== 'Conv2DTranspose') return kernel;
  return reordered(kernel, channelsFirst ? [2, 3, 0, 1] : [0, 1, 3, 2]);
}

const flat = (kernel: StoredArray) => {
  const tensor = kernel.read();
  return { ...tensor, dims: tensor.dims.filter((_, axis) => axis !== 1) };
};

const reordered = (array: StoredArray, axes: readonly number[]): StoredArray => ({
  name: array.name,
  dims: axes.map((axis) => array.dims[axis]!),
  read: () => permuted(array.read(), axes),
});
