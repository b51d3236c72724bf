/** Moves the gradient of a ReLU in front of that of the max pooling behind it, where the tensor is smaller. */

import { backwardDomain } from '../autodiff/backward-operators.ts';
import { consumers, type Graph, type Node, producers, prune } from '../onnx/graph.ts';

const isBackward = (node: Node | undefined, op: string): node is Node =>
  node?.domain === backwardDomain && node.op === op;

/**
 * For r = relu(x), p = maxpool(r): `ReluGrad(r, MaxPoolGrad(r, p, dp)) = MaxPoolGrad(r, p, ReluGrad(p, dp))`.
 *
 * A window's gradient lands on a cell whose value is the window's maximum, so whether that cell is positive can be asked
 * of the maximum. For 2×2 pooling this masks a quarter of the elements.
 */
export function reluThroughMaxPool(graph: Graph): Graph {
  const madeBy = producers(graph);
  const readBy = consumers(graph);
  const outputs = new Set(graph.outputs.map((o) => o.name));
  const nodes = graph.nodes.flatMap((relu): Node[] => {
    if (!isBackward(relu, 'ReluGrad')) return [relu];
    const [r, dr] = relu.inputs as [string, string];
    const pool = madeBy.get(dr);
    const swaps =
      isBackward(pool, 'MaxPoolGrad') &&
      pool.inputs[0] === r &&
      readBy.get(dr)?.length === 1 &&
      !outputs.has(dr);
    if (!swaps) return [relu];
    const [, p, dp] = pool.inputs as [string, string, string];
    const masked = `${dr}/masked`;
    return [
      { ...relu, inputs: [p, dp], outputs: [masked], attributes: { y_shape: pool.attributes.y_shape! } },
      { ...pool, inputs: [r, p, masked], outputs: relu.outputs },
    ];
  });
  return prune({ ...graph, nodes });
}
