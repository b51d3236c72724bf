/**
 * Operators that exist only in differentiated graphs, in a domain of our own, because the best way to run them depends
 * on the provider. The lowering pass replaces each by standard operators before a graph is run.
 */

import type { GraphBuilder } from '../onnx/builder.ts';
import { ints, type Node } from '../onnx/graph.ts';
import type { Window } from './window.ts';

export const backwardDomain = 'neural-cleanse';

/** dx = dy where y > 0, for y = max(x, 0) of shape `shape`. */
export const reluGradient = (b: GraphBuilder, y: string, dy: string, shape: readonly number[]): string =>
  b.op('ReluGrad', [y, dy], { y_shape: ints(shape) }, { domain: backwardDomain });

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
      kernel_shape: ints(window.kernel),
      strides: ints(window.strides),
      dilations: ints(window.dilations),
      pads: ints([...window.padsBegin, ...window.padsEnd]),
    },
    { domain: backwardDomain },
  );
}

/** Reads a node made by {@link maxPoolGradient} back. */
export function readMaxPoolGradient(node: Node): MaxPoolGradient {
  const list = (name: string): readonly number[] => intsOf(node, name);
  const pads = list('pads');
  return {
    x: node.inputs[0]!,
    y: node.inputs[1]!,
    dy: node.inputs[2]!,
    xShape: list('x_shape'),
    yShape: list('y_shape'),
    window: {
      kernel: list('kernel_shape'),
      strides: list('strides'),
      dilations: list('dilations'),
      padsBegin: pads.slice(0, pads.length / 2),
      padsEnd: pads.slice(pads.length / 2),
    },
  };
}

/** Shape of the tensor a node made by {@link reluGradient} masks. */
export const readReluShape = (node: Node): readonly number[] => intsOf(node, 'y_shape');

const intsOf = (node: Node, name: string): readonly number[] => {
  const attribute = node.attributes[name];
  return attribute?.type === 'ints' ? attribute.value : [];
};
