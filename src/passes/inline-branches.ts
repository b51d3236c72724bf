/** Replaces If nodes whose condition is known by the branch they take. */

import { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, mapSubgraphs, type Node } from '../onnx/graph.ts';
import { toNumbers } from '../onnx/tensor.ts';
import { attribute } from './attributes.ts';
import { splice } from './splice.ts';

/**
 * Replaces every If with a constant condition by its branch, branches in branches included; names are made unique.
 *
 * @param graph constants are initializers, in subgraphs too
 */
export function inlineBranches(graph: Graph): Graph {
  if (!graph.nodes.some((n) => n.op === 'If')) return graph;
  let inlined = false;
  const b = GraphBuilder.rewriting(graph, 'nc/if/');
  for (const node of graph.nodes) {
    const branch = takenBranch(node, graph);
    if (branch) splice(b, branch, [], node.outputs);
    else b.push(node);
    inlined ||= branch !== undefined;
  }
  const result = b.build();
  if (inlined) return inlineBranches(result);
  return { ...result, nodes: result.nodes.map((node) => mapSubgraphs(node, inlineBranches)) };
}

function takenBranch(node: Node, graph: Graph): Graph | undefined {
  const condition =
    node.op === 'If' && node.domain === '' ? graph.initializers.get(node.inputs[0]!) : undefined;
  return condition && attribute(node, toNumbers(condition)[0] ? 'then_branch' : 'else_branch', 'graph');
}
