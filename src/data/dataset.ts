/** Images with their labels, as the rest of the package uses them. */

import { NeuralCleanseError } from '../errors.ts';
import { type Channels, newPixels, type Pixels } from './raster.ts';

/** What black and full intensity are in stored pixels. Bytes are always [0, 255]. */
export type PixelRange = readonly [0, 255] | readonly [0, 1];

/** A file that was left out, and why. */
export interface SkippedFile {
  readonly path: string;
  readonly reason: string;
}

/** `count` images of one size, not preprocessed. */
export interface ImageSet {
  /** [count, height, width, channels] in row-major order (NHWC); three channels are red, green, blue. */
  readonly images: Pixels;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: Channels;
  readonly range: PixelRange;
  /** The class of each image, 0 <= label < classes. */
  readonly labels?: Int32Array | undefined;
  /** Number of classes: as given, else as the files state it, else the largest label plus one. */
  readonly classes?: number | undefined;
  /** Names of the classes where the files have names. */
  readonly classNames?: readonly string[] | undefined;
  /** Where the images come from, for messages and reports. */
  readonly source: string;
  readonly skipped: readonly SkippedFile[];
}

export type LabelledImageSet = ImageSet & { readonly labels: Int32Array; readonly classes: number };

/** What {@link imageSet} cannot find out by itself. */
export type ImageSetFields = Omit<ImageSet, 'count' | 'skipped'> & {
  readonly skipped?: readonly SkippedFile[];
};

/**
 * Makes a set from arrays in memory and checks it.
 *
 * @throws NeuralCleanseError DATA_EMPTY, DATA_SHAPE_MISMATCH, DATA_NAN, DATA_COUNT_MISMATCH, DATA_LABEL_RANGE
 */
export function imageSet(fields: ImageSetFields): ImageSet {
  const { images, height, width, channels, labels, source } = fields;
  const size = height * width * channels;
  const count = images.length / size;
  if (images.length === 0) {
    throw new NeuralCleanseError('DATA_EMPTY', `${source} holds no images.`, {
      hint: 'Give a few hundred clean images.',
    });
  }
  if (!Number.isInteger(count)) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `${images.length} values do not make whole images of ${shapeText(fields)}.`,
      { hint: 'Give height, width and channels of the images as they are stored.' },
    );
  }
  if (images instanceof Float32Array) checkFinite(images, size, source);
  if (labels && labels.length !== count) throw countMismatch(source, count, labels.length);
  const classes = labels && (fields.classes ?? classCount(labels));
  if (labels) checkLabels(labels, classes!, source);
  return { ...fields, count, classes, skipped: fields.skipped ?? [] };
}

/**
 * The images at `indices`, in that order; an index may come up more than once. Pixels are copied.
 *
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH if there is no such image
 */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const size = set.height * set.width * set.channels;
  const images = newPixels(set.images, indices.length * size);
  const labels = set.labels && new Int32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    checkIndex(set, index);
    images.set(set.images.subarray(index * size, (index + 1) * size), i * size);
    if (labels) labels[i] = set.labels![index]!;
  }
  return { ...set, images, labels, count: indices.length };
}

/** @throws NeuralCleanseError DATA_SHAPE_MISMATCH if the set has no image `index` */
export function checkIndex(set: ImageSet, index: number): void {
  if (Number.isInteger(index) && index >= 0 && index < set.count) return;
  throw new NeuralCleanseError(
    'DATA_SHAPE_MISMATCH',
    `There is no image ${index} among the ${set.count} of ${set.source}.`,
    { hint: 'Images count from 0.' },
  );
}

/** One line: how many images, their shape, layout, type and range, the classes, the source, what was left out. */
export function describeImages(set: ImageSet): string {
  const type = set.images instanceof Uint8Array ? 'uint8' : 'float32';
  const parts = [
    `${set.count} images ${shapeText(set)} (NHWC, ${type}, pixels in [${set.range.join(', ')}])`,
    set.classes === undefined ? 'no labels' : `${set.classes} classes`,
    `from ${set.source}`,
  ];
  if (set.skipped.length > 0) parts.push(`${set.skipped.length} left out`);
  return parts.join(', ');
}

/**
 * The same set, known to have labels of at least `least` different classes.
 *
 * @throws NeuralCleanseError DATA_UNLABELLED, DATA_ONE_CLASS
 */
export function requireClasses(set: ImageSet, least = 2): LabelledImageSet {
  const { labels, classes, source } = set;
  if (labels === undefined || classes === undefined) {
    throw new NeuralCleanseError('DATA_UNLABELLED', `The images of ${source} have no labels.`, {
      hint: 'Give class folders, a labels.csv (file,label) beside the images, or an array of labels.',
    });
  }
  const seen = [...new Set(labels)];
  if (seen.length < least) {
    throw new NeuralCleanseError(
      'DATA_ONE_CLASS',
      `The images of ${source} show ${seen.length} of ${classes} classes (label ${seen.join(', ')}), and ${least} are needed.`,
      { hint: 'Give images of several classes.', data: { labels: seen } },
    );
  }
  return { ...set, labels, classes };
}

/** The largest label plus one: how many classes there are at least. */
export const classCount = (labels: Int32Array): number =>
  labels.reduce((most, label) => Math.max(most, label), 0) + 1;

/** @throws NeuralCleanseError DATA_LABEL_RANGE */
export function checkLabels(labels: Int32Array, classes: number, source: string): void {
  const wrong = labels.findIndex((label) => label < 0 || label >= classes);
  if (wrong < 0) return;
  const count = labels.filter((label) => label < 0 || label >= classes).length;
  throw new NeuralCleanseError(
    'DATA_LABEL_RANGE',
    `${count} of ${labels.length} labels of ${source} lie outside 0 to ${classes - 1}; the first is label ${labels[wrong]} of image ${wrong}.`,
    {
      hint: 'Check that data and model belong together and that labels count from 0.',
      data: { count, label: labels[wrong] },
    },
  );
}

export function countMismatch(source: string, images: number, labels: number): NeuralCleanseError {
  return new NeuralCleanseError(
    'DATA_COUNT_MISMATCH',
    `${source} has ${images} images but ${labels} labels.`,
    {
      hint: 'Give the labels that belong to these images.',
      data: { images, labels },
    },
  );
}

function checkFinite(images: Float32Array, size: number, source: string): void {
  const wrong = images.findIndex((pixel) => !Number.isFinite(pixel));
  if (wrong < 0) return;
  throw new NeuralCleanseError(
    'DATA_NAN',
    `Image ${Math.floor(wrong / size)} of ${source} has a pixel ${images[wrong]}.`,
    { hint: 'Give raw pixels in [0, 255] or [0, 1].', data: { image: Math.floor(wrong / size) } },
  );
}

const shapeText = (shape: { height: number; width: number; channels: number }): string =>
  `${shape.height}×${shape.width}×${shape.channels}`;
