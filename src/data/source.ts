/** Images that can be loaded in part: what is there is known at once, pixels are read on demand. */

import { NeuralCleanseError } from '../errors.ts';
import type { Tensor } from '../onnx/tensor.ts';
import { imageArrayShape, imageAt, type Labels, pixelRange } from './arrays.ts';
import { countMismatch, type ImageSetFields, type SkippedFile } from './dataset.ts';
import { newPixels, type Pixels, type Target } from './raster.ts';
import { fitTo } from './resize.ts';

export interface ImageSource {
  /** For messages: the file or folder as the user named it. */
  readonly source: string;
  readonly count: number;
  readonly labels?: Int32Array | undefined;
  readonly classes?: number | undefined;
  readonly classNames?: readonly string[] | undefined;
  /**
   * Loads the images at `indices`, in that order.
   *
   * @throws NeuralCleanseError DATA_SHAPE_MISMATCH, DATA_CORRUPT, DATA_TOO_LARGE, DATA_TOO_MANY_UNREADABLE, DATA_PIXEL_RANGE
   */
  load(indices: readonly number[], target: Target): Promise<LoadedImages>;
  /** True if images are cropped to the sign region of their GTSRB table. */
  readonly cropped?: boolean;
  /** Frees what an open file holds. */
  close?(): void;
}

export interface LoadedImages
  extends Pick<ImageSetFields, 'images' | 'height' | 'width' | 'channels' | 'range'> {
  /** The indices that were loaded: all but those of unreadable files. */
  readonly indices: readonly number[];
  readonly skipped: readonly SkippedFile[];
}

/** An array of images, of which runs of images can be read. */
export interface ImageArray {
  readonly dims: readonly number[];
  /** How many images are best read at once. */
  readonly run: number;
  /** Images `first` to `first + count - 1`. */
  read(first: number, count: number): Tensor;
}

/** An array that is in memory already. */
export const inMemory = (tensor: Tensor): ImageArray => ({
  dims: tensor.dims,
  run: Math.max(tensor.dims[0] ?? 0, 1),
  read: () => tensor,
});

/**
 * Images and labels from arrays.
 *
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH, DATA_COUNT_MISMATCH, DATA_TOO_LARGE
 */
export function arraySource(
  source: string,
  array: ImageArray,
  labels: Labels | undefined,
  close?: () => void,
): ImageSource {
  const shape = imageArrayShape(array.dims, source);
  const { count } = shape;
  if (count > maxImages) {
    throw new NeuralCleanseError('DATA_TOO_LARGE', `${source} has ${count} images.`, {
      hint: `Save at most ${maxImages} of them; a few hundred are enough.`,
    });
  }
  if (labels && labels.labels.length !== count) throw countMismatch(source, count, labels.labels.length);

  return {
    source,
    count,
    ...labels,
    async load(indices, target) {
      const [height, width] = target.size ?? [shape.height, shape.width];
      const channels = target.channels ?? shape.channels;
      const size = height * width * channels;
      let images: Pixels | undefined;
      for (const { first, places } of runsOf(indices, array.run)) {
        const run = array.read(first, Math.min(array.run, count - first));
        for (const place of places) {
          const image = fitTo(imageAt(run, shape, indices[place]! - first, source), {
            size: [height, width],
            channels,
          });
          images ??= allocate(image.data, indices.length * size, source);
          images.set(image.data, place * size);
        }
      }
      images ??= new Uint8Array(0);
      return { images, height, width, channels, range: pixelRange(images, source), indices, skipped: [] };
    },
    ...(close && { close }),
  };
}

/** Groups the places in `indices` by the run of `length` images that their image stands in. */
function runsOf(indices: readonly number[], length: number): { first: number; places: number[] }[] {
  const runs = new Map<number, number[]>();
  indices.forEach((index, place) => {
    const first = index - (index % length);
    const places = runs.get(first);
    if (places) places.push(place);
    else runs.set(first, [place]);
  });
  return [...runs].map(([first, places]) => ({ first, places })).sort((a, b) => a.first - b.first);
}

/** The most images a source may have, so that lists of them stay small: 2^24. */
export const maxImages = 2 ** 24;

/** The most pixels a set may have, so that index arithmetic and typed arrays are safe everywhere. */
const maxPixels = 2 ** 32 - 1;

/** @throws NeuralCleanseError DATA_TOO_LARGE */
export function allocate<P extends Pixels>(like: P, length: number, source: string): P {
  if (length <= maxPixels) {
    try {
      return newPixels(like, length);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
  }
  throw new NeuralCleanseError('DATA_TOO_LARGE', `The images of ${source} have ${length} values together.`, {
    hint: 'Load fewer images with a limit, or smaller ones with a size.',
  });
}
