/** Loss and accuracy of a classifier as it would be used: dropout and batch statistics off. */

import { crossEntropy } from '../autodiff/losses.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import { int } from '../onnx/graph.ts';
import { canonicalModel } from '../onnx/model.ts';
import type { Runtime, SessionOptions } from '../runtime/session.ts';
import { readBatch } from './batches.ts';
import type { TrainingSet } from './training-set.ts';

export interface Measurement {
  /** Cross entropy, mean over the images. */
  readonly loss: number;
  /** Share of the images that are classified as labelled. */
  readonly accuracy: number;
}

/** Images in one run. A short last batch is filled up with its first image, so that shapes never change. */
const chunk = 64;

/**
 * Classifies every image of a set, as it is in epoch 0.
 *
 * @param classifier see {@link prepareClassifier}
 * @returns NaN as the loss if the model answers NaN or infinity
 */
export async function evaluate(
  runtime: Runtime,
  classifier: Classifier,
  set: TrainingSet,
  preprocess: Preprocess,
  options: SessionOptions = {},
): Promise<Measurement> {
  const { classes, input } = classifier;
  const b = builderFor(classifier, 'nc/evaluate/');
  const images = b.input('images', 'float32', [chunk, input.channels, input.height, input.width]);
  const targets = b.input('targets', 'float32', [chunk, classes]);
  const logits = appendClassifier(b, classifier, images, preprocess);
  b.output(crossEntropy(b, logits, targets), 'float32', [chunk], 'loss');
  const label = b.op('ArgMax', [logits], { axis: int(-1), keepdims: int(0) });
  b.output(b.cast(label, 'int32'), 'int32', [chunk], 'label');
  const session = await runtime.open(canonicalModel(b.build()), options);
  try {
    let [loss, correct] = [0, 0];
    for (let start = 0; start < set.count; start += chunk) {
      const indices = Array.from({ length: chunk }, (_, i) => (start + i < set.count ? start + i : start));
      const results = await session.run({ ...readBatch(set, indices, 0, classes) });
      for (let i = 0; i < chunk && start + i < set.count; i++) {
        loss += (results.loss!.data as Float32Array)[i]!;
        correct += Number((results.label!.data as Int32Array)[i] === set.label(start + i, 0));
      }
    }
    return { loss: loss / set.count, accuracy: correct / set.count };
  } finally {
    await session.release();
  }
}
