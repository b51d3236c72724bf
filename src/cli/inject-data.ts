/** Images to train on and images to measure on. */

import { describeImages, type LabelledImageSet, requireClasses, subset } from '../data/dataset.ts';
import { openDataset } from '../data/files.ts';
import type { Channels, Size } from '../data/raster.ts';
import { digestOf } from '../data/run-digest.ts';
import { splitSamples } from '../detect/split.ts';
import { NeuralCleanseError } from '../errors.ts';
import { note } from './output.ts';

export interface DataChoice {
  readonly data: string;
  readonly testData?: string | undefined;
  readonly roi: boolean;
  /** Most training images. */
  readonly images?: number | undefined;
  readonly seed: number;
  /** What a given model takes; as the files are if left out. */
  readonly size?: Size | undefined;
  readonly channels?: Channels | undefined;
  readonly classes?: number | undefined;
}

export interface InjectionData {
  readonly train: LabelledImageSet;
  readonly test: LabelledImageSet;
}

/**
 * The training part of the data, and the test part or other data. Of data without parts, some of each class are held out for
 * the test.
 *
 * @throws NeuralCleanseError any code that begins with DATA_
 */
export async function openInjectionData(choice: DataChoice): Promise<InjectionData> {
  const { data, testData, roi, size, channels, classes, images, seed } = choice;
  const open = async (path: string, split: 'train' | 'test', like: Partial<DataChoice>, limit?: number) =>
    requireClasses(
      await openDataset(path, {
        split,
        roi,
        seed,
        size: like.size,
        channels: like.channels,
        classes: like.classes,
        limit,
      }),
    );
  const train = await open(data, 'train', { size, channels, classes }, images);
  const test = await open(testData ?? data, 'test', {
    size: [train.height, train.width],
    channels: train.channels,
    classes: train.classes,
  }).catch((error: unknown) => {
    // The data are there, since the training part was read: only a test part is not.
    const absent = error instanceof NeuralCleanseError && error.code === 'DATA_NOT_FOUND';
    if (testData === undefined && absent) return undefined;
    throw error;
  });
  const parts = test && digestOf(train) !== digestOf(test) ? { train, test } : heldOut(train, seed);
  note(`Training: ${describeImages(parts.train)}`, `Test: ${describeImages(parts.test)}`);
  return parts;
}

/** A tenth of the images, of all classes. */
function heldOut(set: LabelledImageSet, seed: number): InjectionData {
  const { train, heldOut: test } = splitSamples(set, seed, Math.ceil(set.count / 10));
  note(`${set.source} has no test part: about a tenth of each class is held out.`);
  // In the order of the set, so that what is drawn of them does not depend on how they were split.
  const of = (indices: readonly number[]): LabelledImageSet =>
    requireClasses(
      subset(
        set,
        indices.toSorted((a, b) => a - b),
      ),
    );
  return { train: of(train), test: of(test) };
}
