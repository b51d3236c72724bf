/** What a trigger does to a few images: the pictures and answers that a report shows. */

import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import type { Raster } from '../data/raster.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { stamp } from '../triggers/stamp.ts';
import type { Trigger } from '../triggers/trigger.ts';
import type { Prediction, Predictor } from './predictor.ts';
import type { SampleSplit } from './split.ts';

export interface Answer {
  readonly label: number;
  /** Softmax probability, in [0, 1]. */
  readonly confidence: number;
}

/** One image before and after it was stamped. */
export interface StampedExample {
  /** Class that the image shows; `undefined` for images without labels. */
  readonly shows: number | undefined;
  readonly original: Raster<Uint8Array>;
  readonly stamped: Raster<Uint8Array>;
  readonly before: Answer;
  readonly after: Answer;
}

/**
 * Stamps held-out images of other classes. They are taken as the split has drawn them, class by class, whether the trigger
 * works on them or not.
 *
 * @param label target of the trigger
 * @throws NeuralCleanseError LOGITS_NAN
 */
export async function stampExamples(
  predictor: Predictor,
  images: ImageSet,
  split: SampleSplit,
  { label, trigger, count }: { readonly label: number; readonly trigger: Trigger; readonly count: number },
): Promise<StampedExample[]> {
  const indices = split.without(split.heldOut, label).slice(0, count);
  const before = await predictor.predict(images, indices);
  const after = await predictor.predict(images, indices, trigger);
  const pixels = toBatch(images, indices, 'NHWC');
  const stamped = stamp(pixels, trigger);
  return indices.map((image, i) => ({
    shows: images.labels?.[image],
    original: rasterOf(pixels, i),
    stamped: rasterOf(stamped, i),
    before: answerOf(before, i),
    after: answerOf(after, i),
  }));
}

const answerOf = ({ label, confidence }: Prediction, i: number): Answer => ({
  label: label[i]!,
  // Sums of float32 can pass 1 by a rounding error.
  confidence: Math.min(1, confidence[i]!),
});

/** Image `i` of a batch [N, H, W, C] of raw pixels, rounded to bytes. */
function rasterOf({ dims, data }: Tensor<'float32'>, i: number): Raster<Uint8Array> {
  const [, height = 0, width = 0, channels = 0] = dims;
  const size = height * width * channels;
  const bytes = Uint8Array.from(data.subarray(i * size, (i + 1) * size), (value) =>
    Math.min(255, Math.max(0, Math.round(value))),
  );
  return { height, width, channels: channels === 1 ? 1 : 3, data: bytes };
}
