/** Which samples an inversion learns from and which it is judged on. */

import type { ImageSet } from '../data/dataset.ts';
import { sampleIndices } from '../data/sample.ts';
import { NeuralCleanseError } from '../errors.ts';

export interface SampleSplit {
  /** Indices into the image set. */
  readonly train: readonly number[];
  readonly heldOut: readonly number[];
  /** Those of `indices` that do not show class `label`; all of them if the images have no labels. */
  without(indices: readonly number[], label: number): number[];
}

/** Fewer images than this judge nothing. */
const fewest = 20;

/**
 * Splits by seed, balanced by class where there are labels.
 *
 * @param heldOut images to judge on; never more than a third of all
 * @throws NeuralCleanseError DATA_TOO_FEW
 */
export function splitSamples(set: ImageSet, seed: number, heldOut = 256): SampleSplit {
  if (set.count < fewest) {
    throw new NeuralCleanseError(
      'DATA_TOO_FEW',
      `${set.source} has ${set.count} images, and at least ${fewest} are needed.`,
      {
        hint: 'A few hundred clean images make a good scan.',
        data: { count: set.count },
      },
    );
  }
  const order = sampleIndices(set, set.count, { seed });
  const held = Math.min(heldOut, Math.floor(set.count / 3));
  const { labels } = set;
  return {
    heldOut: order.slice(0, held),
    train: order.slice(held),
    without: (indices, label) => indices.filter((i) => labels?.[i] !== label),
  };
}
