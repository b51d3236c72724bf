/** From a training set to mini-batches, the same for every run with one seed. */

import { oneHot } from '../model/loss-graph.ts';
import { float32, type Tensor } from '../onnx/tensor.ts';
import { randomStream } from '../random.ts';
import type { TrainingSet } from './training-set.ts';

/** Name of the random stream, after the seed. */
const orderStream = 1;

/** The order in which an epoch goes through the images. */
export const epochOrder = (seed: number, epoch: number, count: number): number[] =>
  randomStream(seed, orderStream, epoch).shuffle(Array.from({ length: count }, (_, i) => i));

export interface Batch {
  /** [N, C, H, W], raw pixels */
  readonly images: Tensor<'float32'>;
  /** [N, classes], one-hot */
  readonly targets: Tensor<'float32'>;
}

/** @param classes of the model, which may be more than those of the set */
export function readBatch(
  set: TrainingSet,
  indices: readonly number[],
  epoch: number,
  classes: number,
): Batch {
  const { height, width, channels } = set;
  const area = height * width;
  const image = new Float32Array(area * channels);
  const images = new Float32Array(indices.length * image.length);
  for (const [i, index] of indices.entries()) {
    const planes = images.subarray(i * image.length, (i + 1) * image.length);
    if (channels === 1) {
      set.read(index, epoch, planes);
      continue;
    }
    set.read(index, epoch, image);
    for (let p = 0; p < area; p++) {
      for (let c = 0; c < channels; c++) planes[c * area + p] = image[p * channels + c]!;
    }
  }
  return {
    images: float32([indices.length, channels, height, width], images),
    targets: oneHot(
      indices.map((index) => set.label(index, epoch)),
      classes,
    ),
  };
}
