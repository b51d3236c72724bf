/** Which of the clean images a repair learns from, which it is steered by, and which measure it. */

import { type LabelledImageSet, subset } from '../data/dataset.ts';
import { sampleIndices } from '../data/sample.ts';

/** Three sets without a common image, each with all classes. */
export interface RepairImages {
  /** To train on. */
  readonly train: LabelledImageSet;
  /** To choose the learning rate and the epoch by. */
  readonly check: LabelledImageSet;
  /** To measure by, once everything is decided. */
  readonly measure: LabelledImageSet;
}

/** Of ten images of a class. */
const parts = [
  'train',
  'check',
  'measure',
  'train',
  'measure',
  'train',
  'measure',
  'train',
  'measure',
  'measure',
] as const satisfies readonly (keyof RepairImages)[];

/** A class needs so many images to be in all three. */
export const leastPerClass = 3;

/**
 * Splits by seed, class by class: four of ten images to train on, one to check with, five to measure by.
 */
export function splitForRepair(images: LabelledImageSet, seed: number): RepairImages {
  const seen = new Map<number, number>();
  const indices = { train: [] as number[], check: [] as number[], measure: [] as number[] };
  for (const image of sampleIndices(images, images.count, { seed })) {
    const label = images.labels[image]!;
    const before = seen.get(label) ?? 0;
    seen.set(label, before + 1);
    indices[parts[before % parts.length]!].push(image);
  }
  const of = (part: keyof RepairImages): LabelledImageSet => ({
    ...subset(images, indices[part]),
    labels: Int32Array.from(indices[part], (image) => images.labels[image]!),
    classes: images.classes,
  });
  return { train: of('train'), check: of('check'), measure: of('measure') };
}
