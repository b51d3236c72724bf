/** Everything on the way from the loss to a value that cannot be differentiated, at once instead of one error at a time. */

import { NeuralCleanseError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { dependents, type GradientOptions } from './gradient.ts';
import { RuleContext, type ValueTypes } from './rule.ts';
import { ruleFor } from './rules/index.ts';

/**
 * Asks the rule of each node between `wrt` and the outputs whether it can differentiate that node, without using the result.
 *
 * @param graph as {@link differentiate} takes it
 * @returns one OPERATOR_UNSUPPORTED or ATTRIBUTE_UNSUPPORTED a node, in graph order; empty if the graph can be differentiated
 */
export function findObstacles(
  graph: Graph,
  types: ValueTypes,
  { wrt }: Pick<GradientOptions, 'wrt'>,
): NeuralCleanseError[] {
  const active = dependents(graph, wrt, types);
  const scratch = new GraphBuilder(graph, 'nc/scratch/');
  const constants = new Map([...graph.initializers].filter(([name]) => !active.has(name)));
  return graph.nodes.flatMap((node) => {
    if (!node.outputs.some((o) => active.has(o))) return [];
    const upstream = node.outputs.map((o) => (active.has(o) ? `dy:${o}` : undefined));
    try {
      const thunks = ruleFor(node)(new RuleContext(scratch, node, types, constants, upstream));
      thunks.forEach((thunk, i) => {
        if (active.has(node.inputs[i] ?? '')) thunk?.();
      });
      return [];
    } catch (error) {
      if (error instanceof NeuralCleanseError) return [error];
      throw error;
    }
  });
}
