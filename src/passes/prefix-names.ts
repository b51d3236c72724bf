/** Puts all value names of a graph into a namespace of their own, so that graphs built around it can use any other names. */

import { type Graph, mapSubgraphs, type Node } from '../onnx/graph.ts';

/** Renames every value `x` to `<prefix>x`, in subgraphs too. Names of nodes, which errors quote, stay. */
export function prefixNames(graph: Graph, prefix: string): Graph {
  // An empty name marks an absent input or output.
  const rename = (name: string): string => (name === '' ? '' : prefix + name);
  const renameAll = <T extends { readonly name: string }>(values: readonly T[]): T[] =>
    values.map((value) => ({ ...value, name: rename(value.name) }));
  return {
    ...graph,
    inputs: renameAll(graph.inputs),
    outputs: renameAll(graph.outputs),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [rename(name), tensor])),
    nodes: graph.nodes.map(
      (node): Node => ({
        ...mapSubgraphs(node, (inner) => prefixNames(inner, prefix)),
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      }),
    ),
  };
}
