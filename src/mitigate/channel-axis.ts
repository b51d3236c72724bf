/** Where the channels of a map lie. */

import type { ImageInput } from '../model/image-input.ts';
import { type Graph, producers } from '../onnx/graph.ts';
import type { Layer } from './layer.ts';

/** Operators of ONNX that take channels to lie in axis 1. */
const channelsFirst: ReadonlySet<string> = new Set([
  'AveragePool',
  'BatchNormalization',
  'Conv',
  'ConvTranspose',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'InstanceNormalization',
  'MaxPool',
]);

/** Operators after which axes are no longer those of a map. */
const reshaping: ReadonlySet<string> = new Set([
  'Flatten',
  'Gemm',
  'MatMul',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
]);

/**
 * The axis of the channels of a value of four dimensions: followed back through transpositions and operators that work
 * element by element, to a convolution or the like, or to the image. 1 where that leads nowhere.
 */
export function channelAxis(graph: Graph, value: string, input: Pick<ImageInput, 'name' | 'layout'>): number {
  const madeBy = producers(graph);
  /** Axes of the value reached so far, by axis of the value asked for. */
  let axes = [0, 1, 2, 3];
  for (let at = value; ; ) {
    const node = madeBy.get(at);
    if (!node) return axes.indexOf(at === input.name && input.layout === 'NHWC' ? 3 : 1);
    if (channelsFirst.has(node.op)) return axes.indexOf(1);
    if (reshaping.has(node.op)) return 1;
    const { perm } = node.attributes;
    if (node.op === 'Transpose' && perm?.type === 'ints') axes = axes.map((axis) => perm.value[axis]!);
    at = node.inputs.find((name) => name === input.name || madeBy.has(name)) ?? '';
  }
}

/** Dimensions of one value a neuron, so that it is broadcast over a batch: [1, D], or of a map [1, C, 1, 1] or [1, 1, 1, C]. */
export const neuronDims = ({ shape, axis, neurons }: Pick<Layer, 'shape' | 'axis' | 'neurons'>): number[] => [
  1,
  ...shape.map((_, i) => (i + 1 === axis ? neurons : 1)),
];
