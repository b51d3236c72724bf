/** Puts the body of a subgraph or function in the place of the node that calls it. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { type Graph, mapSubgraphs, type Node } from '../onnx/graph.ts';

/**
 * Emits the nodes and initializers of `body` through `b`, its values under fresh names.
 *
 * Names that the body does not define are those of the graph around it and stay.
 *
 * @param inputs what the inputs of `body` stand for, in order; `''` or none for an absent optional one
 * @param outputs names that the outputs of `body` get, in order; `''` for an unused one
 */
export function splice(
  b: GraphBuilder,
  body: Graph,
  inputs: readonly string[],
  outputs: readonly string[],
): void {
  const names = new Map(body.inputs.map(({ name }, i) => [name, inputs[i] ?? '']));
  const copies: [from: string, to: string][] = [];
  const made = new Set(body.nodes.flatMap((n) => n.outputs));
  body.outputs.forEach(({ name }, i) => {
    const wanted = outputs[i];
    if (!wanted) return;
    // An output that no node makes, or that is listed twice, needs a node of its own.
    if (made.has(name) && !names.has(name)) names.set(name, wanted);
    else copies.push([name, wanted]);
  });
  for (const [name, tensor] of body.initializers) {
    names.set(name, b.initializer(b.fresh(name), tensor));
  }
  for (const node of body.nodes) {
    for (const output of node.outputs) if (output && !names.has(output)) names.set(output, b.fresh(output));
    b.push(renamed(node, names));
  }
  for (const [from, to] of copies) b.op('Identity', [names.get(from) ?? from], {}, { outputs: [to] });
}

function renamed(node: Node, names: ReadonlyMap<string, string>): Node {
  const rename = (name: string): string => names.get(name) ?? name;
  return {
    ...mapSubgraphs(node, (subgraph) => renamedCaptures(subgraph, names)),
    // ONNX Runtime wants node names to be unique, and a body may be put in several places.
    name: '',
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  };
}

/** A subgraph whose reads of outer values are renamed; what it defines itself hides the outer name. */
function renamedCaptures(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const own = new Set([
    ...graph.inputs.map((i) => i.name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((n) => n.outputs),
  ]);
  const visible = new Map([...names].filter(([name]) => !own.has(name)));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renamed(node, visible)),
    outputs: graph.outputs.map((o) => ({ ...o, name: visible.get(o.name) ?? o.name })),
  };
}
