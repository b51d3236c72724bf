/** What rewrites one node into its opset 21 form. */

import { NeuralCleanseError } from '../../errors.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import { labelOf, type Node } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';

export interface RewriteContext {
  /** Takes the nodes and constants that stand before the rewritten node. */
  readonly b: GraphBuilder;
  /** Version of the standard operators in the model as it was read. */
  readonly version: number;
  /** Rank of a value where the graph shows it without running: a shortcut, never needed for correctness. */
  rank(value: string): number | undefined;
  /** Whether a node, a subgraph or an output of the graph reads a value. */
  isRead(value: string): boolean;
  /** The value of an initializer. */
  constant(value: string): Tensor | undefined;
}

/** Returns the node that makes the outputs of `node`; whatever it needs is emitted through `c.b` first. */
export type Rewrite = (node: Node, c: RewriteContext) => Node;

export interface Upgrade {
  /** The first version whose form needs no rewriting. */
  readonly below: number;
  readonly rewrite: Rewrite;
}

/** An error for a form that later operator sets cannot express. */
export const cannotRaise = (node: Node, why: string): NeuralCleanseError =>
  new NeuralCleanseError('ATTRIBUTE_UNSUPPORTED', `${node.op} cannot be raised to operator set 21: ${why}.`, {
    node: labelOf(node),
    op: node.op,
    hint: 'Export the model in evaluation mode with a newer operator set.',
  });
