/** Images to train on, read one at a time. */

import type { LabelledImageSet } from '../data/dataset.ts';

/**
 * Labelled raw images.
 *
 * Sets wrap one another: augmentation and poisoning change what {@link read} and {@link label} answer, so that no copy of the
 * whole set is made.
 */
export interface TrainingSet {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 1, or 3 for RGB */
  readonly channels: number;
  readonly classes: number;
  /** The label that image `index` has in `epoch`, 0 <= label < classes. */
  label(index: number, epoch: number): number;
  /**
   * Writes image `index` as it is in `epoch`: the same pair always gives the same pixels.
   *
   * @param epoch from 1; 0 is for images as they are measured, without augmentation
   * @param into height·width·channels raw pixels in [0, 255], channels last, not rounded
   */
  read(index: number, epoch: number, into: Float32Array): void;
}

/** The images of a set as they are. */
export function trainingSet(set: LabelledImageSet): TrainingSet {
  const { images, labels, count, height, width, channels, classes } = set;
  const size = height * width * channels;
  const scale = 255 / set.range[1];
  return {
    count,
    height,
    width,
    channels,
    classes,
    label: (index) => labels[index]!,
    read(index, _epoch, into) {
      const start = index * size;
      for (let i = 0; i < size; i++) into[i] = images[start + i]! * scale;
    },
  };
}
