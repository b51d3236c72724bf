/** What unlearn opens: as the other commands, or images without labels, which the model labels itself. */

import { describeImages } from '../data/dataset.ts';
import { pseudoLabel } from '../mitigate/pseudo-labels.ts';
import { leastPerClass } from '../mitigate/repair-images.ts';
import { nodeRuntime } from '../runtime/node.ts';
import {
  type MitigationInputs,
  type MitigationOptions,
  openMitigation,
  openScanned,
} from './mitigation-inputs.ts';
import { openModelImages } from './model-images.ts';
import { note } from './output.ts';

export interface UnlearnInputs extends MitigationInputs {
  /** Images left out because they look stamped; absent for images with labels of their own. */
  readonly rejected?: number;
}

export type UnlearnInputOptions = MitigationOptions & { readonly pseudoLabels?: true };

/** @throws NeuralCleanseError what {@link openMitigation} and {@link pseudoLabel} throw */
export const openUnlearnInputs = (path: string, options: UnlearnInputOptions): Promise<UnlearnInputs> =>
  options.pseudoLabels ? openPseudoLabelled(path, options) : openMitigation(path, options, { leastPerClass });

async function openPseudoLabelled(path: string, options: UnlearnInputOptions): Promise<UnlearnInputs> {
  const scanned = await openScanned(path, options);
  const { classifier, preprocess, session, triggers } = scanned;
  const given = await openModelImages(options, classifier);
  note(describeImages(given));
  const { images, rejected } = await pseudoLabel(nodeRuntime, classifier, preprocess, given, triggers, {
    seed: options.seed,
    session,
  });
  note(`The model has labelled ${images.count} images; ${rejected} were left out since they look stamped.`);
  return { ...scanned, images, rejected };
}
