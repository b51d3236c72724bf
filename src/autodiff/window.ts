/** The geometry of sliding windows (convolution and pooling) with every default and auto_pad mode made explicit. */

import type { RuleContext } from './rule.ts';

export interface Window {
  /** One entry a spatial axis, in every field. */
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
}

/** Extent of a dilated kernel along one axis: `d·(k − 1) + 1`. */
export const extent = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/**
 * Resolves the window attributes of a convolution or pooling node.
 *
 * @param input spatial sizes of the larger side (the input of Conv and pooling, the output of ConvTranspose)
 * @param output spatial sizes of the smaller side
 * @param kernel spatial kernel sizes
 * @see ONNX operator specification, Conv and ConvTranspose: auto_pad
 */
export function windowOf(
  c: RuleContext,
  input: readonly number[],
  output: readonly number[],
  kernel: readonly number[],
): Window {
  const ones = kernel.map(() => 1);
  const strides = c.ints('strides', ones);
  const dilations = c.ints('dilations', ones);
  const zeros = kernel.map(() => 0);
  const autoPad = c.string('auto_pad', 'NOTSET');
  if (autoPad === 'NOTSET') {
    const pads = c.ints('pads', [...zeros, ...zeros]);
    const rank = kernel.length;
    return { kernel, strides, dilations, padsBegin: pads.slice(0, rank), padsEnd: pads.slice(rank) };
  }
  if (autoPad === 'VALID') return { kernel, strides, dilations, padsBegin: zeros, padsEnd: zeros };
  const total = kernel.map((k, i) =>
    Math.max(0, (output[i]! - 1) * strides[i]! + extent(k, dilations[i]!) - input[i]!),
  );
  const small = total.map((t) => Math.floor(t / 2));
  const large = total.map((t) => Math.ceil(t / 2));
  return autoPad === 'SAME_UPPER'
    ? { kernel, strides, dilations, padsBegin: small, padsEnd: large }
    : { kernel, strides, dilations, padsBegin: large, padsEnd: small };
}
