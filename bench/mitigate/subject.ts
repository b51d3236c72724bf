/** Models whose backdoor is known, judged by true triggers on images that nothing else has seen. */

import { stampedImages } from '../../src/attack/stamped-images.ts';
import { type ImageSet, type LabelledImageSet, requireClasses } from '../../src/data/dataset.ts';
import type { Preprocess } from '../../src/data/preprocess.ts';
import { Predictor } from '../../src/detect/predictor.ts';
import { type Classifier, prepareClassifier } from '../../src/model/classifier.ts';
import type { Model } from '../../src/onnx/graph.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import type { SessionOptions } from '../../src/runtime/session.ts';
import type { AttackTrigger } from '../../src/triggers/attack-trigger.ts';

export interface Subject {
  readonly model: Model;
  readonly classifier: Classifier;
  readonly preprocess: Preprocess;
  /** Images that nothing else has seen. */
  readonly judge: LabelledImageSet;
  readonly truths: readonly { readonly label: number; readonly trigger: AttackTrigger }[];
  /** Of what filters and prunes. */
  readonly seed: number;
  readonly session: SessionOptions;
}

/** The indices of all images. */
export const everything = ({ count }: ImageSet): number[] => Array.from({ length: count }, (_, i) => i);

/** The images of other classes than the target, with a true trigger on each. */
export function stamped(
  set: LabelledImageSet,
  { label, trigger }: Subject['truths'][number],
): LabelledImageSet {
  const others = everything(set).filter((i) => set.labels[i] !== label);
  return requireClasses(stampedImages(set, others, trigger));
}

export const shareOf = (bits: readonly boolean[]): number => bits.filter(Boolean).length / bits.length;

/** Accuracy, and of each true trigger the ASR with the bits of which images it turns. */
export async function judgeModel({ preprocess, judge, truths, session }: Subject, model: Model) {
  const classifier = await prepareClassifier(nodeRuntime, model, { session });
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess, session);
  const answers = async (set: LabelledImageSet): Promise<number[]> => [
    ...(await predictor.predict(set, everything(set))).label,
  ];
  try {
    const accuracy = shareOf((await answers(judge)).map((label, i) => label === judge.labels[i]));
    const works: boolean[][] = [];
    for (const truth of truths)
      works.push((await answers(stamped(judge, truth))).map((label) => label === truth.label));
    return { accuracy, works, asr: works.map(shareOf) };
  } finally {
    await predictor.release();
  }
}
