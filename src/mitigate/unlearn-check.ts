/** What a model under repair is judged by: held-out images, clean and with the reversed triggers on them. */

import type { LabelledImageSet } from '../data/dataset.ts';
import type { Predictor } from '../detect/predictor.ts';
import type { FlaggedTrigger } from './flagged-trigger.ts';

export interface UnlearnCheck {
  /** Share of the clean images that are classified as labelled. */
  readonly accuracy: number;
  /** Of images of other classes, the share that a trigger turns into its label: the largest of all triggers, 0 without any. */
  readonly asr: number;
  /** Of these, the share that is classified as labelled in spite of a trigger: the least of all triggers. */
  readonly stampedAccuracy: number;
}

export async function checkModel(
  predictor: Predictor,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
): Promise<UnlearnCheck> {
  const everything = Array.from({ length: images.count }, (_, image) => image);
  const { label: plain } = await predictor.predict(images, everything);
  const accuracy = shareOf(everything, (image) => plain[image] === images.labels[image]);
  let [asr, stampedAccuracy] = [0, accuracy];
  for (const { label, trigger } of triggers) {
    const others = everything.filter((image) => images.labels[image] !== label);
    const { label: stamped } = await predictor.predict(images, others, trigger);
    const hits = shareOf(others, (_, i) => stamped[i] === label);
    const right = shareOf(others, (image, i) => stamped[i] === images.labels[image]);
    [asr, stampedAccuracy] = [Math.max(asr, hits), Math.min(stampedAccuracy, right)];
  }
  return { accuracy, asr, stampedAccuracy };
}

const shareOf = (images: readonly number[], passes: (image: number, i: number) => boolean): number =>
  images.filter(passes).length / images.length;

/** Mean of the two accuracies: a trigger that still works lowers the second one. */
export const scoreOf = ({ accuracy, stampedAccuracy }: UnlearnCheck): number =>
  (accuracy + stampedAccuracy) / 2;

/** Of a share that was measured on `count` images: differences below it are chance. */
export const standardError = (share: number, count: number): number =>
  Math.sqrt((share * (1 - share)) / count);
