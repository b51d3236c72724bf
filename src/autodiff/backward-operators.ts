/**
 * Operators that exist only in differentiated graphs, in a domain of our own, because the best way to run them depends
 * on the provider. The lowering pass replaces each by standard operators before a graph is run.
 */

import type { GraphBuilder } from '../onnx/builder.ts';
import { type Attributes, ints, type Node } from '../onnx/graph.ts';
import type { Window } from './window.ts';

export const backwardDomain = 'neural-cleanse';

/** dx = dy where y > 0, for y = max(x, 0) of shape `shape`. */
export const reluGradient = (b: GraphBuilder, y: string, dy: string, shape: readonly number[]): string =>
  b.op('ReluGrad', [y, dy], { y_shape: ints(shape) }, { domain: backwardDomain });

/** Shapes of a convolution y = x * w without groups: x [N,C,S…], w [M,C,K…], y [N,M,O…]. */
export interface ConvShapes {
  readonly xShape: readonly number[];
  readonly wShape: readonly number[];
  readonly yShape: readonly number[];
  readonly window: Window;
}

export interface ConvInputGradient extends ConvShapes {
  readonly dy: string;
  readonly w: string;
}

export interface ConvWeightGradient extends ConvShapes {
  readonly x: string;
  readonly dy: string;
}

/** dy, w -> dx, for kernels that are computed or fed. */
export const convInputGradient = (b: GraphBuilder, { dy, w, ...shapes }: ConvInputGradient): string =>
  b.op('ConvInputGrad', [dy, w], convAttributes(shapes), { domain: backwardDomain });

/** x, dy -> dw. */
export const convWeightGradient = (b: GraphBuilder, { x, dy, ...shapes }: ConvWeightGradient): string =>
  b.op('ConvWeightGrad', [x, dy], convAttributes(shapes), { domain: backwardDomain });

export const readConvInputGradient = (node: Node): ConvInputGradient => ({
  dy: node.inputs[0]!,
  w: node.inputs[1]!,
  ...readConvShapes(node),
});

export const readConvWeightGradient = (node: Node): ConvWeightGradient => ({
  x: node.inputs[0]!,
  dy: node.inputs[1]!,
  ...readConvShapes(node),
});

const convAttributes = ({ xShape, wShape, yShape, window }: ConvShapes): Attributes => ({
  x_shape: ints(xShape),
  w_shape: ints(wShape),
  y_shape: ints(yShape),
  ...windowAttributes(window),
});

const readConvShapes = (node: Node): ConvShapes => ({
  xShape: intsOf(node, 'x_shape'),
  wShape: intsOf(node, 'w_shape'),
  yShape: intsOf(node, 'y_shape'),
  window: readWindow(node),
});

export interface MaxPoolGradient {
  /** Values: the pooled tensor, its maxima, and the gradient of the maxima. */
  readonly x: string;
  readonly y: string;
  readonly dy: string;
  /** [N,C,S…] */
  readonly xShape: readonly number[];
  /** [N,C,O…] */
  readonly yShape: readonly number[];
  readonly window: Window;
}

/** dy [N,C,O…] -> dx [N,C,S…]: each window passes its gradient to the first of its maxima in row-major order, as PyTorch. */
export function maxPoolGradient(
  b: GraphBuilder,
  { x, y, dy, xShape, yShape, window }: MaxPoolGradient,
): string {
  return b.op(
    'MaxPoolGrad',
    [x, y, dy],
    {
      x_shape: ints(xShape),
      y_shape: ints(yShape),
      ...windowAttributes(window),
    },
    { domain: backwardDomain },
  );
}

/** Reads a node made by {@link maxPoolGradient} back. */
export const readMaxPoolGradient = (node: Node): MaxPoolGradient => ({
  x: node.inputs[0]!,
  y: node.inputs[1]!,
  dy: node.inputs[2]!,
  xShape: intsOf(node, 'x_shape'),
  yShape: intsOf(node, 'y_shape'),
  window: readWindow(node),
});

/** A window as attributes of ONNX's convolutions and poolings. */
export const windowAttributes = (window: Window): Attributes => ({
  kernel_shape: ints(window.kernel),
  strides: ints(window.strides),
  dilations: ints(window.dilations),
  pads: ints([...window.padsBegin, ...window.padsEnd]),
});

function readWindow(node: Node): Window {
  const pads = intsOf(node, 'pads');
  return {
    kernel: intsOf(node, 'kernel_shape'),
    strides: intsOf(node, 'strides'),
    dilations: intsOf(node, 'dilations'),
    padsBegin: pads.slice(0, pads.length / 2),
    padsEnd: pads.slice(pads.length / 2),
  };
}

/** Shape of the tensor a node made by {@link reluGradient} masks. */
export const readReluShape = (node: Node): readonly number[] => intsOf(node, 'y_shape');

const intsOf = (node: Node, name: string): readonly number[] => {
  const attribute = node.attributes[name];
  return attribute?.type === 'ints' ? attribute.value : [];
};
