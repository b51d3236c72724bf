/** Convolutions with fed kernels and their gradients: blocked where they fit, by standard operators elsewhere. */

import type { ConvInputGradient, ConvWeightGradient } from '../autodiff/backward-operators.ts';
import {
  batchAsChannels,
  channelsFirst,
  inputGradient,
  isStrided,
  kernelFromImage,
  reversedConvolution,
  weightGradient,
} from '../autodiff/convolution-gradients.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { int, ints, type Node, string } from '../onnx/graph.ts';
import { sizeOf } from '../onnx/tensor.ts';
import { attribute } from './attributes.ts';
import type { BlockedLayout } from './blocked-convolution.ts';

/** A convolution of one tap is so cheap that converting its input and output costs more than the layout saves. */
const isWide = (kernel: readonly number[]): boolean => kernel.length === 2 && sizeOf(kernel) > 1;

/**
 * Converts a Conv node with a fed kernel.
 *
 * @param wShape dims of the kernel
 * @param relu the Relu node behind it, if nothing else reads what the convolution makes: one kernel computes both
 * @returns whether it could be converted
 */
export function lowerConvolution(
  b: GraphBuilder,
  node: Node,
  wShape: readonly number[],
  layout: BlockedLayout,
  relu?: Node,
): boolean {
  const [m, c, ...kernel] = wShape;
  const group = attribute(node, 'group', 'int') ?? 1;
  if (!(group === 1 && isWide(kernel) && layout.fits(c) && layout.fits(m))) return false;
  const [x, w, bias] = node.inputs as [string, string, string?];
  const transposed = b.transpose(w, channelsFirst(wShape));
  const blocked = layout.op(
    'Conv',
    [layout.from(x), layout.kernel(transposed, [c!, m!, ...kernel]), ...(bias ? [bias] : [])],
    { ...node.attributes, ...(relu && { activation: string('Relu') }) },
  );
  layout.to(blocked, m!, (relu ?? node).outputs[0]!);
  return true;
}

/**
 * Where the image has this many times the pixels of dy, so much of the reversed convolution is padding that ConvTranspose is
 * faster: it never looks there.
 */
const muchPadding = 2;

/** dy, w -> dx */
export function lowerConvInputGradient(
  b: GraphBuilder,
  gradient: ConvInputGradient,
  layout: BlockedLayout | undefined,
): string {
  const { dy, w, xShape, wShape, yShape, window } = gradient;
  const [m, c] = wShape as [number, number];
  const fits = layout?.fits(m) && layout.fits(c) && isWide(window.kernel) && !isStrided(window);
  const isPadded = sizeOf(xShape.slice(2)) >= muchPadding * sizeOf(yShape.slice(2));
  if (!layout || !fits || isPadded) return inputGradient(b, gradient, 1);
  return reversedConvolution(b, dy, window, 1, (cut, attributes) => {
    const blocked = layout.op('Conv', [layout.from(cut), layout.kernel(w, wShape, true)], attributes);
    return layout.to(blocked, c);
  });
}

/**
 * Elements of dy that are read again for every pixel of the weight gradient: the kernel of that convolution, for the four
 * blocks of filters that are computed together. With more than this (4 MiB) they come from memory instead of a cache.
 */
const maxKernelElements = 2 ** 20;

/** x, dy -> dw */
export function lowerConvWeightGradient(
  b: GraphBuilder,
  gradient: ConvWeightGradient,
  layout: BlockedLayout | undefined,
): string {
  const { xShape, wShape, yShape } = gradient;
  const [n, m, ...size] = yShape as [number, number, ...number[]];
  const isBlocked =
    layout?.fits(n) &&
    layout.fits(m) &&
    xShape.length === 4 &&
    n * Math.min(m, 4 * layout.size) * sizeOf(size) <= maxKernelElements;
  if (!layout || !isBlocked) return weightGradient(b, gradient);
  const { x, dy, window } = gradient;
  const [, c, height, width] = xShape as [number, number, number, number];
  const images = layout.from(b.transpose(x, channelsFirst(xShape)));
  // Padded beforehand: windows that reach over the edge are computed one by one, and of the three in a row two do.
  const [top, left] = window.padsBegin as [number, number];
  const [bottom, right] = window.padsEnd as [number, number];
  const rows = b.reshape(images, [c, n / layout.size, height, width * layout.size]);
  const padded = b.pad(rows, [0, 0, top, left * layout.size, 0, 0, bottom, right * layout.size]);
  const image = layout.op(
    'Conv',
    [b.reshape(padded, [c, n, height + top + bottom, width + left + right]), layout.kernel(dy, yShape)],
    { ...batchAsChannels(yShape, window, 1), pads: ints([0, 0, 0, 0]), group: int(1) },
  );
  return kernelFromImage(b, wShape, layout.to(image, m));
}
