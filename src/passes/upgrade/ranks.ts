/** Ranks that follow from declarations and from operators that fix them: no shape inference, only what costs nothing. */

import type { Graph, Node } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { attribute } from '../attributes.ts';

/** Results have the rank of the input of highest rank. */
const broadcasting = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Where', 'Max', 'Min', 'Sum']);

/** Results have the rank of the first input. */
const preserving = new Set([
  ...[
    'Relu',
    'LeakyRelu',
    'PRelu',
    'Elu',
    'Sigmoid',
    'Tanh',
    'Clip',
    'Softplus',
    'Identity',
    'Cast',
    'Dropout',
  ],
  ...[
    'Conv',
    'MaxPool',
    'AveragePool',
    'GlobalAveragePool',
    'GlobalMaxPool',
    'BatchNormalization',
    'LRN',
    'Pad',
  ],
  ...['Concat', 'Slice', 'Softmax', 'LogSoftmax'],
]);

/** Ranks by value; a value whose rank does not show is missing. */
export function knownRanks(graph: Graph): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const { name, dims } of [...graph.inputs, ...graph.outputs]) if (dims) ranks.set(name, dims.length);
  for (const [name, tensor] of graph.initializers) ranks.set(name, tensor.dims.length);
  for (const node of graph.nodes) {
    const rank = rankOf(node, ranks, graph.initializers);
    if (rank !== undefined) ranks.set(node.outputs[0]!, rank);
  }
  return ranks;
}

function rankOf(
  node: Node,
  ranks: ReadonlyMap<string, number>,
  constants: ReadonlyMap<string, Tensor>,
): number | undefined {
  if (node.domain !== '') return undefined;
  if (node.op === 'Gemm' || node.op === 'Flatten') return 2;
  if (node.op === 'Transpose') return attribute(node, 'perm', 'ints')?.length;
  if (node.op === 'Reshape') return constants.get(node.inputs[1]!)?.dims[0];
  if (preserving.has(node.op)) return ranks.get(node.inputs[0]!);
  if (!broadcasting.has(node.op) && node.op !== 'MatMul') return undefined;
  const inputs = node.inputs.map((input) => ranks.get(input) ?? Number.NaN);
  // A product with a vector drops an axis.
  if (node.op === 'MatMul' && Math.min(...inputs) < 2) return undefined;
  const rank = Math.max(...inputs);
  return Number.isNaN(rank) ? undefined : rank;
}
