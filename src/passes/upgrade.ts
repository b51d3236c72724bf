/** Brings a model to the operator set that all other passes and the gradient rules speak. */

import { GraphBuilder } from '../onnx/builder.ts';
import { capturedNames, type Graph, type Model, mapSubgraphs, type Node, prune } from '../onnx/graph.ts';
import { canonicalOpset } from '../onnx/model.ts';
import { checkOpset } from '../onnx/versions.ts';
import { inlineBranches } from './inline-branches.ts';
import { contribUpgrades } from './upgrade/contrib.ts';
import { knownRanks } from './upgrade/ranks.ts';
import type { Rewrite, RewriteContext } from './upgrade/rewrite.ts';
import { upgrades } from './upgrade/standard.ts';

/**
 * Rewrites every operator into its opset 21 form, subgraphs included; a model of a higher opset keeps it.
 * An If whose condition is constant is replaced by the branch it takes.
 *
 * `com.microsoft` operators that standard ones express exactly are mapped to them; other domains are left alone.
 * The result computes the same values. Constants must be initializers (see hoistConstants). Attributes that become inputs
 * become float32 ones: a model of another float type is well-typed again after toFloat32.
 *
 * @throws NeuralCleanseError OPSET_UNSUPPORTED (see {@link checkOpset}); ATTRIBUTE_UNSUPPORTED for a form that
 *   opset 21 cannot express (BatchNormalization in training mode, `spatial = 0`); MODEL_INVALID
 */
export function raiseOpset(model: Model): Model {
  checkOpset(model);
  const version = model.opsets.get('')!;
  return {
    ...model,
    irVersion: Math.max(model.irVersion, 10),
    opsets: new Map(model.opsets).set('', Math.max(version, canonicalOpset)),
    graph: raiseGraph(inlineBranches(model.graph), version, 'nc/raise/'),
  };
}

function raiseGraph(graph: Graph, version: number, prefix: string): Graph {
  const b = GraphBuilder.rewriting(graph, prefix);
  const ranks = knownRanks(graph);
  const read = valuesRead(graph);
  const context: RewriteContext = {
    b,
    version,
    rank: (value) => ranks.get(value),
    isRead: (value) => read.has(value),
    constant: (value) => graph.initializers.get(value),
  };
  graph.nodes.forEach((node, i) => {
    const rewrite = rewriteFor(node, version);
    const raised = rewrite ? rewrite(node, context) : node;
    b.push(mapSubgraphs(raised, (subgraph) => raiseGraph(subgraph, version, `${prefix}${i}/`)));
  });
  return prune(b.build());
}

const valuesRead = (graph: Graph): Set<string> =>
  new Set([
    ...graph.outputs.map((o) => o.name),
    ...graph.nodes.flatMap((node) => [...node.inputs, ...capturedNames(node)]),
  ]);

function rewriteFor({ domain, op }: Node, version: number): Rewrite | undefined {
  if (domain === 'com.microsoft') return lookUp(contribUpgrades, op);
  const upgrade = domain === '' ? lookUp(upgrades, op) : undefined;
  return upgrade && version < upgrade.below ? upgrade.rewrite : undefined;
}

/** Operator names come from the file, so they must not reach the prototype of the table. */
const lookUp = <T>(table: Readonly<Record<string, T>>, op: string): T | undefined =>
  Object.hasOwn(table, op) ? table[op] : undefined;
