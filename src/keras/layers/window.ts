/** Sliding windows as Keras and TensorFlow pad them. */

import { type Attribute, ints, string } from '../../onnx/graph.ts';
import type { Shape } from '../value.ts';

export type Padding = 'valid' | 'same' | 'causal';

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
}

/** Extent of a dilated kernel: `d·(k − 1) + 1`. */
export const extentOf = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

export interface Slid {
  /** Sizes of the result. */
  readonly spatial: Shape;
  /** The ONNX attributes that pad. */
  readonly pads: Readonly<Record<string, Attribute>>;
}

/**
 * Result sizes and padding of a window that slides over `input`.
 *
 * `same`: `⌈in / stride⌉` results, with a total padding of `max((out − 1)·stride + extent − in, 0)` of which the smaller half
 * comes first. Where the input size is open, a stride of 1 does not need it; else ONNX is told to find it (SAME_UPPER).
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
 */
export function slide(input: Shape, { kernel, strides, dilations, padding }: Window): Slid {
  const extents = kernel.map((k, i) => extentOf(k, dilations[i]!));
  if (padding === 'valid') {
    return {
      spatial: input.map((size, i) => size && Math.floor((size - extents[i]!) / strides[i]!) + 1),
      pads: {},
    };
  }
  const spatial = input.map((size, i) => size && Math.ceil(size / strides[i]!));
  if (padding === 'causal') {
    return { spatial, pads: { pads: ints([...extents.map((e) => e - 1), ...extents.map(() => 0)]) } };
  }
  const total = input.map((size, i) => {
    if (strides[i] === 1) return extents[i]! - 1;
    return size && Math.max((spatial[i]! - 1) * strides[i]! + extents[i]! - size, 0);
  });
  if (total.includes(null)) return { spatial, pads: { auto_pad: string('SAME_UPPER') } };
  const known = total as number[];
  if (known.every((t) => t === 0)) return { spatial, pads: {} };
  const before = known.map((t) => Math.floor(t / 2));
  return { spatial, pads: { pads: ints([...before, ...known.map((t, i) => t - before[i]!)]) } };
}
