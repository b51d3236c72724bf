/** Graphs that take raw pixels as the input `images`, and the batches to feed them. */

import { stampedImages } from '../attack/stamped-images.ts';
import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Preprocess } from '../data/preprocess.ts';
import { appendClassifier, builderFor } from '../data/raw-classifier.ts';
import type { Classifier } from '../model/classifier.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Tensor } from '../onnx/tensor.ts';
import type { Trigger } from '../triggers/trigger.ts';
import { mitigatePrefix } from './prefix.ts';

/** Images in one run. */
const chunk = 64;

/**
 * Begins a graph: the input `images`, raw pixels [N, C, H, W], and the classifier behind it.
 *
 * @returns `logits` is the value of that name in the classifier, [N, classes]
 */
export function classifierOfImages(
  classifier: Classifier,
  preprocess: Preprocess,
): { readonly b: GraphBuilder; readonly logits: string } {
  const { height, width, channels } = classifier.input;
  const b = builderFor(classifier, mitigatePrefix);
  const images = b.input('images', 'float32', ['N', channels, height, width]);
  return { b, logits: appendClassifier(b, classifier, images, preprocess) };
}

export interface ImageBatch {
  /** Place of its first image among the indices. */
  readonly start: number;
  readonly count: number;
  /** [count, C, H, W], raw pixels in [0, 255] */
  readonly images: Tensor<'float32'>;
}

/**
 * The images at `indices`, in turn.
 *
 * @param trigger stamped on each of them
 * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH, DATA_SHAPE_MISMATCH
 */
export function* imageBatches(
  images: ImageSet,
  indices: readonly number[],
  trigger?: Trigger,
): Generator<ImageBatch> {
  for (let start = 0; start < indices.length; start += chunk) {
    const part = indices.slice(start, start + chunk);
    const batch = trigger
      ? toBatch(stampedImages(images, part, { kind: 'patch', trigger }), [...part.keys()], 'NCHW')
      : toBatch(images, part, 'NCHW');
    yield { start, count: part.length, images: batch };
  }
}
