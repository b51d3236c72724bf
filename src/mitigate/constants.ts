/** What a model computes from its weights alone. */

import { capturedNames, type Graph } from '../onnx/graph.ts';

/** Initializers, and values that are the same for all images; also the empty name of an absent input. */
export function constantsOf(graph: Graph, input: string): ReadonlySet<string> {
  const constants = new Set(['', ...graph.initializers.keys()]);
  for (const node of graph.nodes) {
    const reads = [...node.inputs, ...capturedNames(node)];
    if (reads.every((name) => name !== input && constants.has(name))) {
      for (const name of node.outputs) constants.add(name);
    }
  }
  return constants;
}
