/** Measures a model with the predictor that scans use. */

import { type Attack, type Evaluation, evaluate } from '../attack/evaluation.ts';
import type { LabelledImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { Predictor } from '../detect/predictor.ts';
import type { Classifier } from '../model/classifier.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { SessionOptions } from '../runtime/session.ts';

/** @throws NeuralCleanseError as {@link evaluate}; LOGITS_NAN */
export async function evaluateModel(
  classifier: Classifier,
  preprocess: Preprocess,
  images: LabelledImageSet,
  attacks: readonly Attack[],
  session: SessionOptions,
): Promise<Evaluation> {
  const predictor = await Predictor.open(nodeRuntime, classifier, preprocess, session);
  try {
    return await evaluate(
      async (set) => {
        const everything = Array.from({ length: set.count }, (_, i) => i);
        return (await predictor.predict(set, everything)).label;
      },
      images,
      attacks,
    );
  } finally {
    await predictor.release();
  }
}
