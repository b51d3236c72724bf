/** Puts the nodes of a graph into topological order. */

import { capturedNames, type Graph, mapSubgraphs, type Node } from './graph.ts';
import { invalidModel } from './invalid.ts';

/**
 * The same graph with every node after those whose values it reads, subgraphs included; the order is kept where it can be.
 *
 * Values that nothing defines are left for checkGraph to report.
 *
 * @throws NeuralCleanseError MODEL_INVALID naming a node on a cycle
 */
export function sortGraph(graph: Graph): Graph {
  const nodes = graph.nodes.map((node) => mapSubgraphs(node, sortGraph));
  const maker = new Map<string, number>();
  for (const [i, node] of nodes.entries()) {
    for (const output of node.outputs) if (output && !maker.has(output)) maker.set(output, i);
  }

  const sorted: Node[] = [];
  const state = new Array<'new' | 'open' | 'done'>(nodes.length).fill('new');
  // Depth first with a stack of its own: a chain of layers is as deep as the network is long.
  const stack: { index: number; sources: Iterator<number> }[] = [];
  const open = (index: number): void => {
    state[index] = 'open';
    stack.push({ index, sources: sourcesOf(nodes[index]!, maker) });
  };
  for (const start of nodes.keys()) {
    if (state[start] === 'new') open(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const source = top.sources.next();
      if (source.done) {
        stack.pop();
        state[top.index] = 'done';
        sorted.push(nodes[top.index]!);
      } else if (state[source.value] === 'open') {
        throw invalidModel('The node depends on its own result.', nodes[source.value]);
      } else if (state[source.value] === 'new') {
        open(source.value);
      }
    }
  }
  return { ...graph, nodes: sorted };
}

/** Indices of the nodes whose values this node reads. */
function* sourcesOf(node: Node, maker: ReadonlyMap<string, number>): Generator<number> {
  for (const name of [...node.inputs, ...capturedNames(node)]) {
    const index = maker.get(name);
    if (index !== undefined) yield index;
  }
}
