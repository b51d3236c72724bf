/** A classifier that sees raw pixels: preprocessing, layout and model in one graph, with room for a trigger in front. */

import { appendPreprocess, type Preprocess } from '../data/preprocess.ts';
import type { Classifier } from '../model/classifier.ts';
import { GraphBuilder } from '../onnx/builder.ts';

/** A graph under construction that already holds the classifier's constants, but none of its nodes. */
export const builderFor = ({ graph }: Classifier): GraphBuilder =>
  GraphBuilder.rewriting({ ...graph, inputs: [], outputs: [] }, 'nc/detect/');

/**
 * Adds preprocessing and the classifier behind `pixels`. May be called once for each builder.
 *
 * @param b made by {@link builderFor}
 * @param pixels value of shape [N, C, H, W], raw pixels in [0, 255], RGB
 * @returns logits, [N, classes]
 */
export function appendClassifier(
  b: GraphBuilder,
  { graph, input, logits }: Classifier,
  pixels: string,
  preprocess: Preprocess,
): string {
  const prepared = appendPreprocess(b, pixels, input.channels, preprocess);
  const placed = input.layout === 'NCHW' ? prepared : b.transpose(prepared, [0, 2, 3, 1]);
  b.op('Identity', [placed], {}, { outputs: [input.name] });
  for (const node of graph.nodes) b.push(node);
  return logits;
}

/** `(1 − mask)·pixels + mask·pattern`, on raw pixels (Wang et al. 2019, eq. 1), as one multiply-add. */
export const stamp = (b: GraphBuilder, pixels: string, mask: string, pattern: string): string =>
  b.add(pixels, b.mul(mask, b.sub(pattern, pixels)));
