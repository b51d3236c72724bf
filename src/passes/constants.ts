/** Turns Constant nodes into initializers, so that every constant is found in one place. */

import { type Graph, mapSubgraphs, type Node } from '../onnx/graph.ts';
import { float32, type Tensor, toInt64 } from '../onnx/tensor.ts';

/**
 * The graph without Constant nodes, subgraphs included. Those that hold a sparse tensor stay.
 *
 * Source: ONNX operator Constant, versions 1 to 23.
 */
export function hoistConstants(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const value = node.op === 'Constant' && node.domain === '' ? constantOf(node) : undefined;
    const output = node.outputs[0];
    if (value && output) initializers.set(output, value);
    else nodes.push(mapSubgraphs(node, hoistConstants));
  }
  return { ...graph, initializers, nodes };
}

/** Exactly one attribute holds the value; which one tells the type and whether it is a scalar or a list. */
function constantOf(node: Node): Tensor | undefined {
  const { value, value_float, value_floats, value_int, value_ints, value_string, value_strings } =
    node.attributes;
  if (value?.type === 'tensor') return value.value;
  if (value_float?.type === 'float') return float32([], [value_float.value]);
  if (value_floats?.type === 'floats') return float32([value_floats.value.length], value_floats.value);
  if (value_int?.type === 'int') return exactInt64([], [value_int.exact ?? toInt64(value_int.value)]);
  if (value_ints?.type === 'ints') {
    return exactInt64([value_ints.value.length], value_ints.exact ?? value_ints.value.map(toInt64));
  }
  if (value_string?.type === 'string') return strings([], [value_string.value]);
  if (value_strings?.type === 'strings') return strings([value_strings.value.length], value_strings.value);
  return undefined;
}

const exactInt64 = (dims: readonly number[], values: readonly bigint[]): Tensor => ({
  dtype: 'int64',
  dims,
  data: new BigInt64Array(values),
});

function strings(dims: readonly number[], values: readonly string[]): Tensor {
  const encoder = new TextEncoder();
  return { dtype: 'string', dims, data: values.map((value) => encoder.encode(value)) };
}
