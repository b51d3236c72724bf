/** What unlearn opens: as the other commands, or images without labels, which the model labels itself. */

import { describeImages } from '../data/dataset.ts';
import { openModel } from '../data/model-file.ts';
import { pseudoLabel } from '../mitigate/pseudo-labels.ts';
import { leastPerClass } from '../mitigate/repair-images.ts';
import { prepareClassifier } from '../model/classifier.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { SessionOptions } from '../runtime/session.ts';
import { type MitigationInputs, type MitigationOptions, openMitigation } from './mitigation-inputs.ts';
import { readFlaggedTriggers } from './mitigation-run.ts';
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
  const opened = await openModel(path);
  const { trigger: folder, labels, seed } = options;
  const { scan, triggers } = await readFlaggedTriggers(folder, { sha256: opened.sha256, labels });
  const { provider } = await nodeRuntime.choose(options.provider);
  const session: SessionOptions = { provider, threads: options.threads };
  const classifier = await prepareClassifier(nodeRuntime, opened.model, {
    session,
    size: options.size ?? [scan.model.input.height, scan.model.input.width],
    ...(options.output !== undefined && { output: options.output }),
  });
  const given = await openModelImages(options, classifier);
  note(describeImages(given));
  const preprocess = options.preprocess ?? scan.preprocess;
  const { images, rejected } = await pseudoLabel(nodeRuntime, classifier, preprocess, given, triggers, {
    seed,
    session,
  });
  note(`The model has labelled ${images.count} images; ${rejected} were left out since they look stamped.`);
  return { opened, classifier, images, preprocess, session, triggers, scan, rejected };
}
