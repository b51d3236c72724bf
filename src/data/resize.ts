/**
 * Bilinear resizing, bit for bit as Pillow does it, since most classifiers were trained on images that Pillow resized.
 *
 * The triangle filter is widened by the downsampling factor (antialiasing), applied along rows and then along columns. For
 * bytes the weights are fixed-point with 22 fraction bits and each pass rounds to bytes.
 *
 * Source: `ImagingResample` in src/libImaging/Resample.c of Pillow 11.3. (Pillow 13 filters along columns first where the
 * height shrinks much more than the width, which changes some pixels by 1.)
 */

import { convertChannels, newPixels, type Pixels, type Raster, type Target } from './raster.ts';

/** Pillow keeps 8 bits for the result and 2 for overshoot of a 32-bit sum. */
const precisionBits = 32 - 8 - 2;

/** The weights that make every output position of one axis. */
interface Kernel {
  /** First input position that counts, for each output position. */
  readonly starts: Int32Array;
  /** How many input positions count. */
  readonly counts: Int32Array;
  /** Room for the weights of one output position. */
  readonly stride: number;
  /** Weights, summing to 1 over each output position; fixed-point integers for bytes. */
  readonly weights: Float64Array;
}

/** Converts the channels first and resizes then, as the usual training pipelines do. */
export function fitTo<P extends Pixels>(image: Raster<P>, target: Target): Raster<P> {
  const converted = convertChannels(image, target.channels ?? image.channels);
  const [height, width] = target.size ?? [image.height, image.width];
  return resizeBilinear(converted, height, width);
}

/**
 * @param image bytes or floats, 1 or 3 channels
 * @returns the image itself if it has the size already
 */
export function resizeBilinear<P extends Pixels>(image: Raster<P>, height: number, width: number): Raster<P> {
  const bytes = image.data instanceof Uint8Array;
  let result = image;
  if (width !== image.width) result = resizeRows(result, triangleKernel(image.width, width, bytes));
  if (height !== image.height) result = resizeColumns(result, triangleKernel(image.height, height, bytes));
  return result;
}

function triangleKernel(inputSize: number, outputSize: number, fixedPoint: boolean): Kernel {
  const scale = inputSize / outputSize;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputSize);
  const counts = new Int32Array(outputSize);
  const weights = new Float64Array(outputSize * stride);
  for (let o = 0; o < outputSize; o++) {
    const center = (o + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const count = Math.min(Math.trunc(center + support + 0.5), inputSize) - start;
    const own = weights.subarray(o * stride, o * stride + count);
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const distance = Math.abs((i + start - center + 0.5) * (1 / support));
      own[i] = distance < 1 ? 1 - distance : 0;
      sum += own[i]!;
    }
    for (let i = 0; i < count; i++) {
      const weight = own[i]! / sum;
      own[i] = fixedPoint ? Math.trunc(0.5 + weight * (1 << precisionBits)) : weight;
    }
    starts[o] = start;
    counts[o] = count;
  }
  return { starts, counts, stride, weights };
}

/** [H, W, C] -> [H, W', C] */
function resizeRows<P extends Pixels>(image: Raster<P>, kernel: Kernel): Raster<P> {
  const { height, channels } = image;
  const width = kernel.starts.length;
  const data = newPixels(image.data, height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * image.width + kernel.starts[x]!) * channels;
      weigh(image.data, from, channels, kernel, x, data, (y * width + x) * channels, channels);
    }
  }
  return { height, width, channels, data };
}

/** [H, W, C] -> [H', W, C] */
function resizeColumns<P extends Pixels>(image: Raster<P>, kernel: Kernel): Raster<P> {
  const { width, channels } = image;
  const height = kernel.starts.length;
  const row = width * channels;
  const data = newPixels(image.data, height * row);
  for (let y = 0; y < height; y++) {
    weigh(image.data, kernel.starts[y]! * row, row, kernel, y, data, y * row, row);
  }
  return { height, width, channels, data };
}

/**
 * `length` neighbouring outputs at `to`, each the weighted sum of inputs that lie `step` apart from `from` on.
 */
function weigh(
  source: Pixels,
  from: number,
  step: number,
  kernel: Kernel,
  position: number,
  target: Pixels,
  to: number,
  length: number,
): void {
  const count = kernel.counts[position]!;
  const first = position * kernel.stride;
  const bytes = target instanceof Uint8Array;
  for (let c = 0; c < length; c++) {
    // Half a unit for rounding. Sums stay below 2^31, so doubles hold them exactly.
    let sum = bytes ? 1 << (precisionBits - 1) : 0;
    for (let i = 0; i < count; i++) sum += source[from + i * step + c]! * kernel.weights[first + i]!;
    target[to + c] = bytes ? sum >> precisionBits : sum;
  }
}
