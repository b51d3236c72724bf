/** Normalisation by the mini-batch from operators that run the same on every provider. */

import { channelwise, planeMean, planes } from '../autodiff/planes.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Node } from '../onnx/graph.ts';
import { attribute } from './attributes.ts';

/** Whether a node is what {@link trainingForm} makes: statistics of the mini-batch are computed, used and returned. */
export const normalizesByBatch = (node: Node): boolean =>
  node.op === 'BatchNormalization' &&
  node.domain === '' &&
  attribute(node, 'training_mode', 'int') === 1 &&
  attribute(node, 'momentum', 'float') === 0 &&
  node.outputs.length === 3;

/** Replaces such a node. */
export function lowerBatchNormalization(b: GraphBuilder, node: Node): void {
  const [x, scale, bias] = node.inputs as [string, string, string];
  const [y, mean, variance] = node.outputs as [string, string, string];
  const flat = planes(b, x);
  b.op('Identity', [planeMean(b, flat)], {}, { outputs: [mean] });
  const centred = b.sub(flat, channelwise(b, mean));
  b.op('Identity', [planeMean(b, b.mul(centred, centred))], {}, { outputs: [variance] });
  const { epsilon } = node.attributes;
  b.op('BatchNormalization', [x, scale, bias, mean, variance], epsilon ? { epsilon } : {}, { outputs: [y] });
}
