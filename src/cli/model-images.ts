/** Images as a model takes them. */

import type { ImageSet } from '../data/dataset.ts';
import { openDataset } from '../data/files.ts';
import type { Split } from '../data/splits.ts';
import type { Classifier } from '../model/classifier.ts';

export interface ImageOptions {
  readonly data: string;
  readonly split?: Split;
  readonly roi?: true;
  readonly samples?: number;
  readonly seed: number;
}

/**
 * The images that the options name, in the size and channels of the model, with labels that are classes of it.
 *
 * @throws NeuralCleanseError as {@link openDataset}
 */
export const openModelImages = (
  { data, split, roi, samples, seed }: ImageOptions,
  { input, classes }: Pick<Classifier, 'input' | 'classes'>,
): Promise<ImageSet> =>
  openDataset(data, {
    size: [input.height, input.width],
    channels: input.channels === 1 ? 1 : 3,
    classes,
    split,
    roi,
    limit: samples,
    seed,
  });
