/** From a training set to mini-batches, the same for every run with one seed. */

import { oneHot } from '../model/loss-graph.ts';
import { float32, sizeOf, type Tensor } from '../onnx/tensor.ts';
import type { DropoutMask } from '../passes/training-form.ts';
import { randomStream } from '../random.ts';
import type { TrainingSet } from './training-set.ts';

/** Names of random streams, after the seed. */
const [orderStream, dropoutStream] = [1, 2];

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
      indices.map((index) => set.label(index)),
      classes,
    ),
  };
}

/**
 * Masks of one step: each element is 1 / keep with probability `keep`, rounded to 16 bits, else 0.
 *
 * @param step over the whole run
 */
export function drawMasks(
  masks: readonly DropoutMask[],
  seed: number,
  step: number,
): Record<string, Tensor<'float32'>> {
  const random = randomStream(seed, dropoutStream, step);
  const draw = ({ dims, keep }: DropoutMask): Tensor<'float32'> => {
    const data = new Float32Array(sizeOf(dims));
    const [scale, limit] = [1 / keep, Math.round(keep * 0x10000)];
    for (let i = 0; i < data.length; i += 2) {
      // Half the bits for each of two elements
      const bits = random.bits();
      if ((bits & 0xffff) < limit) data[i] = scale;
      if (bits >>> 16 < limit && i + 1 < data.length) data[i + 1] = scale;
    }
    return float32(dims, data);
  };
  return Object.fromEntries(masks.map((mask) => [mask.input, draw(mask)]));
}
