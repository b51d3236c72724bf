/** Images with a trigger on them, to measure an attack with. */

import { toBatch } from '../data/batch.ts';
import type { ImageSet } from '../data/dataset.ts';
import { type AttackTrigger, applyTrigger } from '../triggers/attack-trigger.ts';

/**
 * The images at `indices` with a trigger on each; labels stay as they are.
 *
 * @returns float pixels in [0, 255], not rounded
 * @throws NeuralCleanseError TRIGGER_SIZE_MISMATCH, DATA_SHAPE_MISMATCH
 */
export function stampedImages(set: ImageSet, indices: readonly number[], trigger: AttackTrigger): ImageSet {
  const { data } = toBatch(set, indices, 'NHWC');
  const size = set.height * set.width * set.channels;
  for (let i = 0; i < indices.length; i++) applyTrigger(trigger, data.subarray(i * size, (i + 1) * size));
  return {
    ...set,
    images: data,
    range: [0, 255],
    labels: set.labels && Int32Array.from(indices, (index) => set.labels![index]!),
    count: indices.length,
  };
}
