/** What a forward pass costs. */

import type { ValueTypes } from '../autodiff/rule.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { sizeOf } from '../onnx/tensor.ts';

/** Operators that compute nothing. */
const views: ReadonlySet<string> = new Set([
  'Cast',
  'Concat',
  'Dropout',
  'Expand',
  'Flatten',
  'Gather',
  'Identity',
  'Pad',
  'Reshape',
  'Slice',
  'Split',
  'Squeeze',
  'Tile',
  'Transpose',
  'Unsqueeze',
]);

/**
 * Floating-point operations of one run: two for each multiply-add of convolutions and matrix products, one for each
 * element any other operator makes, none for operators that only move elements.
 *
 * @param types shapes at the batch size of interest
 */
export function countFlops(graph: Graph, types: ValueTypes): number {
  const shape = (name: string | undefined): readonly number[] => types.shapes.get(name ?? '') ?? [];
  return graph.nodes.reduce((sum, node) => sum + nodeFlops(node, shape), 0);
}

function nodeFlops(node: Node, shape: (name: string | undefined) => readonly number[]): number {
  const [x, w] = [shape(node.inputs[0]), shape(node.inputs[1])];
  const made = sizeOf(shape(node.outputs[0]));
  switch (node.op) {
    // Each output of a Conv, each input of a ConvTranspose, meets one kernel of w.dims[1:]
    case 'Conv':
      return 2 * made * sizeOf(w.slice(1));
    case 'ConvTranspose':
      return 2 * sizeOf(x) * sizeOf(w.slice(1));
    case 'Gemm': {
      const transposed = node.attributes.transA?.type === 'int' && node.attributes.transA.value === 1;
      return 2 * made * (transposed ? (x[0] ?? 1) : (x[1] ?? 1));
    }
    case 'MatMul':
      return 2 * made * (x.at(-1) ?? 1);
    default:
      return views.has(node.op) ? 0 : made;
  }
}
