/** What a classifier ends in, and where its logits are. */

import { type Graph, type Node, producers } from '../onnx/graph.ts';

/**
 * - `logits`: the output is taken for unnormalised scores
 * - `softmax`, `log-softmax`, `sigmoid`: the output is that function of the logits, which were found inside the graph
 */
export type Head = 'logits' | 'softmax' | 'log-softmax' | 'sigmoid';

export interface ClassifierHead {
  readonly head: Head;
  /** Value of shape [N, K] whose softmax is the model's belief. */
  readonly logits: string;
}

/** Operators that hand a [N, K] tensor on unchanged when they stand behind the head. */
const transparent = new Set(['Identity', 'Cast', 'Dropout', 'Flatten', 'Reshape', 'Squeeze']);

const heads: Readonly<Record<string, Head>> = {
  Softmax: 'softmax',
  LogSoftmax: 'log-softmax',
  Sigmoid: 'sigmoid',
};

/**
 * Follows the output back to a final Softmax, LogSoftmax or Sigmoid.
 *
 * Taking the loss from what enters that node loses no precision: probabilities near 0 or 1 are rounded, logits are not.
 * The logits of a sigmoid are its input: it ranks classes the same way.
 *
 * @param output name of the graph output with the scores
 */
export function findHead(graph: Graph, output: string): ClassifierHead {
  const madeBy = producers(graph);
  for (let node: Node | undefined = madeBy.get(output); node; node = madeBy.get(node.inputs[0] ?? '')) {
    const head = heads[node.op];
    // What LogSoftmax returns serves as logits itself: softmax(log softmax(z)) = softmax(z).
    if (head === 'log-softmax') return { head, logits: output };
    if (head) return { head, logits: node.inputs[0]! };
    if (!transparent.has(node.op)) break;
  }
  return { head: 'logits', logits: output };
}
