/** Which classes triggers of pairs can be sought on. */

import type { ImageSet } from '../data/dataset.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { Sources } from './pairs.ts';
import type { SampleSplit } from './split.ts';

/** Fewer images of a class teach no trigger, and fewer held out judge none. */
const fewestOfSource = { train: 4, heldOut: 2 } as const;

/**
 * The classes that can be sources, and those with too few images for it.
 *
 * @throws NeuralCleanseError DATA_UNLABELLED, DATA_TOO_FEW if no class has enough images
 */
export function sourcesOf(images: ImageSet, split: SampleSplit, classes: number): Sources {
  if (!images.labels) {
    throw new NeuralCleanseError(
      'DATA_UNLABELLED',
      `The images of ${images.source} have no labels, and pairs need to know which class an image shows.`,
      { hint: 'Give a folder with one subfolder for each class, or scan without --pairs.' },
    );
  }
  const all = Array.from({ length: classes }, (_, label) => label);
  const isSource = (label: number): boolean =>
    split.showing(split.train, label).length >= fewestOfSource.train &&
    split.showing(split.heldOut, label).length >= fewestOfSource.heldOut;
  const sources = all.filter(isSource);
  if (sources.length === 0) {
    const needed = fewestOfSource.train + fewestOfSource.heldOut;
    throw new NeuralCleanseError(
      'DATA_TOO_FEW',
      `No class has ${needed} images among the ${images.count} of ${images.source}.`,
      { hint: 'Give more images with --samples, or scan without --pairs.', data: { count: images.count } },
    );
  }
  return { sources, withoutImages: all.filter((label) => !sources.includes(label)) };
}
