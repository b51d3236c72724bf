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
  /** Those of `indices` that show class `source`; none of them if the images have no labels. */
  showing(indices: readonly number[], source: number): number[];
}

/** Fewer images than this judge nothing. */
const fewest = 20;

/**
 * Splits by seed, balanced by class where there are labels.
 *
 * @param heldOut about how many images to judge on; never more than a third of all
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
  // One of `every` images of each class is held out, so that both parts show all classes. Classes begin to count at different
  // numbers, so that with one image a class some of these are held out too.
  const every = Math.max(3, Math.ceil(set.count / heldOut));
  const seen = new Map<number, number>();
  const parts = { train: [] as number[], heldOut: [] as number[] };
  for (const i of sampleIndices(set, set.count, { seed })) {
    const label = set.labels?.[i] ?? 0;
    const n = (seen.get(label) ?? seen.size) + 1;
    seen.set(label, n);
    parts[n % every === 0 ? 'heldOut' : 'train'].push(i);
  }
  const { labels } = set;
  return {
    ...parts,
    without: (indices, label) => indices.filter((i) => labels?.[i] !== label),
    showing: (indices, source) => indices.filter((i) => labels?.[i] === source),
  };
}
