/** One image in memory, and the conversions that a model's input may ask for. */

import { NeuralCleanseError } from '../errors.ts';

/** Pixels of an image: bytes in [0, 255], or floats in the range that the dataset states. */
export type Pixels = Uint8Array | Float32Array;

export type Channels = 1 | 3;

/** Height and width in pixels. */
export type Size = readonly [height: number, width: number];

/**
 * `H,W`, or one number for a square.
 *
 * @param option what messages call the text
 * @throws NeuralCleanseError USAGE
 */
export function parseSize(text: string, option: string): Size {
  const parts = text.split(/[,x]/).map(Number);
  const [height = Number.NaN, width = height] = parts;
  if (parts.length <= 2 && [height, width].every((v) => Number.isSafeInteger(v) && v > 0)) {
    return [height, width];
  }
  throw new NeuralCleanseError('USAGE', `${option} got "${text}".`, {
    hint: 'It takes HEIGHT,WIDTH in pixels, e.g. 224,224.',
  });
}

/** One image, row-major with the channels innermost (HWC); three channels are red, green, blue. */
export interface Raster<P extends Pixels = Pixels> {
  readonly height: number;
  readonly width: number;
  readonly channels: Channels;
  readonly data: P;
}

/** A rectangle in pixels; `right` and `bottom` are exclusive. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** What images are brought to; what is left out stays as it is in the file. */
export interface Target {
  readonly size?: Size | undefined;
  readonly channels?: Channels | undefined;
}

/** Grey to RGB by repetition, RGB to grey by {@link luma}. */
export function convertChannels<P extends Pixels>(image: Raster<P>, channels: Channels): Raster<P> {
  if (image.channels === channels) return image;
  const { data, height, width } = image;
  const out = newPixels(data, height * width * channels);
  if (channels === 3) {
    for (let i = 0; i < data.length; i++) out.fill(data[i]!, 3 * i, 3 * i + 3);
  } else if (data instanceof Uint8Array) {
    for (let i = 0; i < out.length; i++) out[i] = luma(data[3 * i]!, data[3 * i + 1]!, data[3 * i + 2]!);
  } else {
    for (let i = 0; i < out.length; i++) {
      out[i] = 0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!;
    }
  }
  return { height, width, channels, data: out };
}

/** ITU-R 601 luma of 8-bit RGB in the fixed-point arithmetic of Pillow's `convert('L')`: weights in 1/65536. */
export const luma = (red: number, green: number, blue: number): number =>
  (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

/** Cuts out `box`. @throws NeuralCleanseError DATA_SHAPE_MISMATCH if it is empty or reaches outside the image */
export function crop<P extends Pixels>(image: Raster<P>, box: Box): Raster<P> {
  const { left, top, right, bottom } = box;
  if (left < 0 || top < 0 || right > image.width || bottom > image.height || left >= right || top >= bottom) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `The region ${left},${top} to ${right},${bottom} does not fit an image of ${image.width}×${image.height} pixels.`,
      { hint: 'Give a region inside the image.' },
    );
  }
  const [height, width] = [bottom - top, right - left];
  const row = width * image.channels;
  const out = newPixels(image.data, height * row);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * image.width + left) * image.channels;
    out.set(image.data.subarray(start, start + row), y * row);
  }
  return { height, width, channels: image.channels, data: out };
}

/** A zeroed array of the same kind as `like`. */
export function newPixels<P extends Pixels>(like: P, length: number): P {
  return (like instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length)) as P;
}
