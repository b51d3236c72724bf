/** Fixes a graph to one set of input shapes: shape arithmetic and functions of constants become constants. */

import { capturedNames, type Graph, type Node, prune } from '../onnx/graph.ts';
import type { Tensor } from '../onnx/tensor.ts';

const random = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
]);

export interface FixedValues {
  /** Results of nodes whose value follows from shapes and constants alone. */
  readonly fixed: ReadonlySet<string>;
  /** Those of them that other nodes or the outputs read: all that has to be computed to remove the rest. */
  readonly frontier: readonly string[];
}

/**
 * Finds the values that are the same for every feed of the given shapes.
 *
 * @param variables initializers whose values will change (weights under training)
 */
export function findFixed(graph: Graph, variables: ReadonlySet<string>): FixedValues {
  const fixed = new Set([...graph.initializers.keys()].filter((name) => !variables.has(name)));
  const isFixed = (name: string): boolean => name === '' || fixed.has(name);
  const fixedNodes = new Set<Node>();
  for (const node of graph.nodes) {
    const isShape = node.op === 'Shape' || node.op === 'Size';
    const reads = [...node.inputs, ...capturedNames(node)];
    if (random.has(node.op) || !(isShape || reads.every(isFixed))) continue;
    fixedNodes.add(node);
    for (const output of node.outputs) if (output) fixed.add(output);
  }
  for (const name of graph.initializers.keys()) fixed.delete(name);

  const read = new Set(graph.outputs.map((o) => o.name));
  for (const node of graph.nodes) {
    if (fixedNodes.has(node)) continue;
    for (const name of [...node.inputs, ...capturedNames(node)]) read.add(name);
  }
  return { fixed, frontier: [...fixed].filter((name) => read.has(name)) };
}

/**
 * Replaces fixed values by constants and removes what made them.
 *
 * @param values the {@link FixedValues.frontier}, computed
 */
export function specialize(graph: Graph, values: ReadonlyMap<string, Tensor>): Graph {
  if (values.size === 0) return graph;
  const nodes = graph.nodes.filter((node) => !node.outputs.some((o) => values.has(o)));
  return prune({ ...graph, nodes, initializers: new Map([...graph.initializers, ...values]) });
}
