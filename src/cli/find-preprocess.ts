/** The preprocessing of a model, where the user did not state it. */

import type { LabelledImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { runPreflight } from '../detect/preflight.ts';
import type { Classifier } from '../model/classifier.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { note } from './output.ts';
import { describePreflight } from './preflight-table.ts';

/**
 * Measures what fits, and shows it on stderr. Problems, which would end a scan, are warnings here.
 *
 * @throws NeuralCleanseError as {@link runPreflight}
 */
export async function findPreprocess(
  classifier: Classifier,
  images: LabelledImageSet,
  options: { readonly seed: number; readonly session: SessionOptions },
): Promise<Preprocess> {
  const preflight = await runPreflight(nodeRuntime, classifier, images, options);
  note(...describePreflight(preflight, false), ...preflight.problems.map((problem) => `Warning: ${problem}`));
  return preflight.chosen.preprocess;
}
