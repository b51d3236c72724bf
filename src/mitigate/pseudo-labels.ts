/** Clean training images from images without labels: the model's own answers, without images that look stamped. */

import { type ImageSet, imageSet, type LabelledImageSet, requireClasses, subset } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { Predictor } from '../detect/predictor.ts';
import type { Classifier } from '../model/classifier.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { createFilter, filterScores } from './filter.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';

export interface PseudoLabelled {
  readonly images: LabelledImageSet;
  /** How many the filter has rejected. */
  readonly rejected: number;
}

/**
 * Labels images by what the model takes them for, and leaves out those on which the neurons of a trigger are active: on such the
 * answer may be the attacker's.
 *
 * @param fpr share of clean images that may be rejected with them
 * @throws NeuralCleanseError DATA_ONE_CLASS if the model answers one class to all; what {@link createFilter} throws
 */
export async function pseudoLabel(
  runtime: Runtime,
  classifier: Classifier,
  preprocess: Preprocess,
  images: ImageSet,
  triggers: readonly FlaggedTrigger[],
  { fpr = 0.05, seed = 0, session = {} }: { fpr?: number; seed?: number; session?: SessionOptions } = {},
): Promise<PseudoLabelled> {
  const everything = Array.from({ length: images.count }, (_, image) => image);
  const predictor = await Predictor.open(runtime, classifier, preprocess, session);
  let labels: Int32Array;
  try {
    labels = (await predictor.predict(images, everything)).label;
  } finally {
    await predictor.release();
  }
  const answered = requireClasses(imageSet({ ...images, labels, classes: classifier.classes }));
  const filter = await createFilter(runtime, classifier, preprocess, answered, triggers, {
    fpr,
    seed,
    session,
  });
  const scores = await filterScores(runtime, classifier, preprocess, filter, answered, session);
  const accepted = everything.filter((image) => scores[image]! <= filter.threshold);
  return {
    images: requireClasses(subset(answered, accepted)),
    rejected: images.count - accepted.length,
  };
}
