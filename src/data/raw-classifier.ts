/** A classifier that sees raw pixels: preprocessing, layout and model in one graph. */

import type { Classifier } from '../model/classifier.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { appendPreprocess, type Preprocess } from './preprocess.ts';

/** A graph under construction that already holds the classifier's constants, but none of its nodes. */
export const builderFor = ({ graph }: Pick<Classifier, 'graph'>, prefix: string): GraphBuilder =>
  GraphBuilder.rewriting({ ...graph, inputs: [], outputs: [] }, prefix);

/**
 * Adds preprocessing and the classifier behind `pixels`. May be called once for each builder.
 *
 * @param b made by {@link builderFor}
 * @param pixels value of shape [N, C, H, W], raw pixels in [0, 255], RGB
 * @returns logits, [N, classes]
 */
export function appendClassifier(
  b: GraphBuilder,
  { graph, input, logits }: Pick<Classifier, 'graph' | 'input' | 'logits'>,
  pixels: string,
  preprocess: Preprocess,
): string {
  const prepared = appendPreprocess(b, pixels, input.channels, preprocess);
  const placed = input.layout === 'NCHW' ? prepared : b.transpose(prepared, [0, 2, 3, 1]);
  b.op('Identity', [placed], {}, { outputs: [input.name] });
  for (const node of graph.nodes) b.push(node);
  return logits;
}
