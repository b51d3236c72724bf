/** Losses as graph builders. */

import type { GraphBuilder } from '../onnx/builder.ts';
import { int } from '../onnx/graph.ts';

/**
 * Cross entropy of each image.
 *
 * `−Σ_k target_k · log softmax(logits)_k`, through LogSoftmax, so that no probability is ever rounded to 0.
 *
 * @param logits value of shape [N, K]
 * @param targets value of shape [N, K] or [1, K]: one-hot labels, or any distribution over the K classes
 * @returns value of shape [N]
 */
export function crossEntropy(b: GraphBuilder, logits: string, targets: string): string {
  const logProbabilities = b.op('LogSoftmax', [logits], { axis: int(-1) });
  return b.neg(b.reduceSum(b.mul(logProbabilities, targets), [1], false));
}

/**
 * Cross entropy of each image when only probabilities can be had: `−Σ_k target_k · log max(p_k, 1e-7)`.
 *
 * The floor is that of Keras; below it the gradient vanishes, so prefer {@link crossEntropy} wherever logits exist.
 *
 * @param probabilities value of shape [N, K], rows summing to 1
 */
export function crossEntropyFromProbabilities(
  b: GraphBuilder,
  probabilities: string,
  targets: string,
): string {
  const log = b.op('Log', [b.op('Clip', [probabilities, b.scalar(1e-7), ''])]);
  return b.neg(b.reduceSum(b.mul(log, targets), [1], false));
}
