/** What arrays of numbers mean as images and as labels: layout, type, range, one-hot. */

import { NeuralCleanseError } from '../errors.ts';
import type { Layout } from '../model/image-input.ts';
import { sizeOf, type Tensor, toFloat32 } from '../onnx/tensor.ts';
import type { NumericArray } from './bytes.ts';
import type { PixelRange } from './dataset.ts';
import { type Channels, newPixels, type Pixels, type Raster } from './raster.ts';

export interface ImageArrayShape {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: Channels;
  readonly layout: Layout;
}

/**
 * Reads [N,H,W,C], [N,C,H,W] or [N,H,W] with C of 1 or 3; where both ends could be channels, NHWC is taken. Rows [N,S·S] and
 * [N,3·S·S] are square images of one or three planes, as in the Python version of CIFAR.
 *
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH
 */
export function imageArrayShape(dims: readonly number[], name: string): ImageArrayShape {
  const [count, a, b, c] = dims as [number, number, number, number];
  const shape =
    dims.length === 4 && isChannels(c)
      ? { count, height: a, width: b, channels: c, layout: 'NHWC' as const }
      : dims.length === 4 && isChannels(a)
        ? { count, height: b, width: c, channels: a, layout: 'NCHW' as const }
        : dims.length === 3 && !isChannels(b)
          ? { count, height: a, width: b, channels: 1 as const, layout: 'NHWC' as const }
          : dims.length === 2
            ? squareShape(count, a)
            : undefined;
  if (shape === undefined || (count > 0 && sizeOf(dims) === 0)) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `${name} has shape [${dims}], which is not that of images.`,
      {
        hint: 'Give [N,H,W,C], [N,C,H,W] or [N,H,W] with 1 or 3 channels, or rows of square images.',
        data: { dims },
      },
    );
  }
  return shape;
}

/** Rows of fewer values may be scores or features as well. */
const minSide = 16;

/** No number of values fits both one and three planes. */
function squareShape(count: number, values: number): ImageArrayShape | undefined {
  for (const channels of [1, 3] as const) {
    const side = Math.sqrt(values / channels);
    if (Number.isInteger(side) && side >= minSide) {
      return { count, height: side, width: side, channels, layout: 'NCHW' };
    }
  }
  return undefined;
}

const isChannels = (n: number): n is Channels => n === 1 || n === 3;

/**
 * Image `index` of a tensor: bytes for integers, floats for floats and booleans.
 *
 * @throws NeuralCleanseError DATA_PIXEL_RANGE for an integer outside 0 to 255
 */
export function imageAt(tensor: Tensor, shape: ImageArrayShape, index: number, name: string): Raster {
  const { height, width, channels, layout } = shape;
  const size = height * width * channels;
  const stored = pixelsOf(tensor, index * size, size, name);
  if (layout === 'NHWC' || channels === 1) return { height, width, channels, data: stored };
  const area = height * width;
  const data = newPixels(stored, size);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < area; p++) data[p * channels + c] = stored[c * area + p]!;
  }
  return { height, width, channels, data };
}

function pixelsOf(tensor: Tensor, start: number, length: number, name: string): Pixels {
  const own = (tensor.data as NumericArray).subarray(start, start + length);
  if (tensor.dtype === 'uint8') return own as Uint8Array;
  if (tensor.dtype === 'bool' || tensor.dtype.startsWith('float')) {
    return toFloat32({ dtype: tensor.dtype, dims: [length], data: own } as Tensor).data;
  }
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    const value = Number(own[i]);
    if (value < 0 || value > 255) throw pixelRangeError(name, `pixel ${value}`);
    bytes[i] = value;
  }
  return bytes;
}

/** Values a rounding error outside a range still belong to it. */
const rangeSlack = 1e-3;

/**
 * The range that pixels are in: bytes in [0, 255]; floats in [0, 1] if none is larger, else in [0, 255].
 *
 * @throws NeuralCleanseError DATA_PIXEL_RANGE if floats lie outside both
 */
export function pixelRange(pixels: Pixels, name: string): PixelRange {
  if (pixels instanceof Uint8Array) return [0, 255];
  let [low, high] = [0, 0];
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low < -rangeSlack || (high > 255 + rangeSlack && high < Number.POSITIVE_INFINITY)) {
    throw pixelRangeError(name, `pixels from ${low} to ${high}`);
  }
  return high <= 1 + rangeSlack ? [0, 1] : [0, 255];
}

function pixelRangeError(name: string, finding: string): NeuralCleanseError {
  return new NeuralCleanseError(
    'DATA_PIXEL_RANGE',
    `${name} has ${finding}, but raw pixels lie in [0, 255] or [0, 1].`,
    { hint: 'Save the images before normalisation, or as uint8.' },
  );
}

export interface Labels {
  readonly labels: Int32Array;
  /** The width of a one-hot array. */
  readonly classes?: number | undefined;
}

/**
 * Labels from whole numbers [N] or [N,1], or the place of the largest value in each row of [N,K] (one-hot).
 *
 * @throws NeuralCleanseError DATA_SHAPE_MISMATCH, DATA_LABEL_RANGE
 */
export function labelsFrom(tensor: Tensor, name: string): Labels {
  const [count, width = 1, ...rest] = tensor.dims;
  if (count === undefined || width < 1 || rest.length > 0) {
    throw new NeuralCleanseError(
      'DATA_SHAPE_MISMATCH',
      `${name} has shape [${tensor.dims}], which is not that of labels.`,
      { hint: 'Give whole numbers [N], or one-hot rows [N,classes].' },
    );
  }
  const isHalf = tensor.dtype === 'float16' || tensor.dtype === 'bfloat16';
  const values = (isHalf ? toFloat32(tensor) : tensor).data as ArrayLike<number | bigint>;
  if (width > 1) {
    const labels = Int32Array.from({ length: count }, (_, i) => argmax(values, i * width, width));
    return { labels, classes: width };
  }

  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = Number(values[i]);
    labels[i] = value;
    if (labels[i] !== value) {
      throw new NeuralCleanseError('DATA_LABEL_RANGE', `${name} has label ${value} for image ${i}.`, {
        hint: 'Labels are whole numbers from 0.',
      });
    }
  }
  return { labels };
}

function argmax(values: ArrayLike<number | bigint>, start: number, length: number): number {
  let best = 0;
  for (let i = 1; i < length; i++) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}
