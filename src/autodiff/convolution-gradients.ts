/**
 * Gradients of convolutions from standard operators. Transpose algebra: reversing a convolution turns stride into dilation of
 * the gradient, flips the kernel and swaps its channel axes; dilation of the kernel stays.
 */

import type { GraphBuilder } from '../onnx/builder.ts';
import { type Attributes, int, ints } from '../onnx/graph.ts';
import { int64, sizeOf } from '../onnx/tensor.ts';
import { type ConvInputGradient, type ConvWeightGradient, windowAttributes } from './backward-operators.ts';
import { extent, type Window } from './window.ts';

/**
 * ONNX Runtime's blocked convolution kernels fill up to 8 output channels, so for the 1 or 3 channels of an image a
 * ConvTranspose takes less than half the time.
 */
export const fewChannels = 8;

/**
 * Kernels that are fed (weights under training) keep convolutions out of the blocked layout. Over images of up to this many
 * pixels ConvTranspose then takes half the time: it spends nothing on the padding that a plain convolution needs.
 */
const fewPixels = 196;

/** dy [N,M,O…], w [M,C/g,K…] -> dx [N,C,S…] for a kernel that is not constant */
export function inputGradient(b: GraphBuilder, gradient: ConvInputGradient, group: number): string {
  const { dy, w, xShape, wShape, window } = gradient;
  const isSmall = xShape[1]! < fewChannels || sizeOf(xShape.slice(2)) <= fewPixels;
  if (isSmall || isStrided(window)) return inputGradientByTranspose(b, gradient, group);
  return reversedConvolution(b, dy, window, group, (cut, attributes) =>
    b.op('Conv', [cut, flippedKernel(b, w, wShape, group)], attributes),
  );
}

export const isStrided = ({ strides }: Window): boolean => strides.some((s) => s !== 1);

/** w [M,C/g,K…] -> [C,M/g,K…] with every spatial axis reversed. */
function flippedKernel(b: GraphBuilder, w: string, wShape: readonly number[], group: number): string {
  const [m, cg, ...kernel] = wShape as [number, number, ...number[]];
  const axes = kernel.map((_, i) => i + 2);
  const all = (value: number): number[] => axes.map(() => value);
  const reversed = b.slice(w, axes, all(-1), all(Number.MIN_SAFE_INTEGER), all(-1));
  const grouped = b.reshape(reversed, [group, m / group, cg, ...kernel]);
  const swapped = b.transpose(grouped, [0, 2, 1, ...axes.map((a) => a + 1)]);
  return b.reshape(swapped, [group * cg, m / group, ...kernel]);
}

/** dy [N,M,O…], w [M,C/g,K…] -> dx [N,C,S…] */
export function inputGradientByTranspose(
  b: GraphBuilder,
  { dy, w, xShape, yShape, window }: ConvInputGradient,
  group: number,
): string {
  const { kernel, strides, dilations, padsBegin, padsEnd } = window;
  // Rows of x behind the last window get gradient zero, which output_padding expresses.
  const outputPadding = kernel.map((k, i) => {
    const reached = (yShape[i + 2]! - 1) * strides[i]! + extent(k, dilations[i]!);
    return xShape[i + 2]! + padsBegin[i]! + padsEnd[i]! - reached;
  });
  return b.op('ConvTranspose', [dy, w], {
    ...windowAttributes(window),
    group: int(group),
    output_padding: ints(outputPadding),
  });
}

/**
 * dy -> dx of a convolution of stride 1, as the convolution that `convolve` makes of dy and of its attributes; its kernel is
 * w flipped, with its channel axes swapped.
 */
export function reversedConvolution(
  b: GraphBuilder,
  dy: string,
  { kernel, dilations, padsBegin, padsEnd }: Window,
  group: number,
  convolve: (dy: string, attributes: Attributes) => string,
): string {
  const reversed = (pads: readonly number[]): number[] =>
    pads.map((p, i) => extent(kernel[i]!, dilations[i]!) - 1 - p);
  const [begin, end] = [reversed(padsBegin), reversed(padsEnd)];
  // Padding wider than the kernel makes outputs that see no pixel at all: those rows of dy are cut off.
  const cut = (pads: readonly number[]): number[] => [0, 0, ...pads.map((p) => Math.min(0, p))];
  return convolve(b.pad(dy, [...cut(begin), ...cut(end)]), {
    kernel_shape: ints(kernel),
    dilations: ints(dilations),
    pads: ints([...begin, ...end].map((p) => Math.max(0, p))),
    group: int(group),
  });
}

/** Patches of more elements are not written out: 256 MiB. */
const maxPatchElements = 2 ** 26;

/**
 * x [N,C,S…], dy [N,M,O…] -> dw [M,C,K…].
 *
 * As one matrix product it takes half the time of a convolution, but memory for what each window sees; with few channels,
 * collecting that takes longer than it saves.
 */
export function weightGradient(b: GraphBuilder, gradient: ConvWeightGradient): string {
  const { yShape, wShape } = gradient;
  const patchElements = (sizeOf(yShape) / yShape[1]!) * sizeOf(wShape.slice(1));
  const isProduct = wShape[1]! >= fewChannels && patchElements <= maxPatchElements;
  return isProduct ? weightGradientByProduct(b, gradient) : weightGradientByConvolution(b, gradient, 1);
}

/**
 * dw [M, K·C] = dy [M, N·O] · patches [N·O, K·C], where a row of the patches holds what one window saw, tap by tap.
 *
 * Channels stand last, so that a tap of a patch is one piece of memory.
 */
function weightGradientByProduct(
  b: GraphBuilder,
  { x, dy, xShape, wShape, yShape, window }: ConvWeightGradient,
): string {
  const [n, channels, ...spatial] = xShape as [number, number, ...number[]];
  const [, filters, ...size] = yShape as [number, number, ...number[]];
  const { padsBegin, padsEnd } = window;
  const padded = spatial.map((s, i) => s + padsBegin[i]! + padsEnd[i]!);
  const channelsLast = [0, ...spatial.map((_, i) => i + 2), 1];
  const pixels = b.transpose(b.pad(x, [0, 0, ...padsBegin, 0, 0, ...padsEnd]), channelsLast);
  const seen = seenPixels(window, size, padded);
  const patches = b.op(
    'Gather',
    [b.reshape(pixels, [n, sizeOf(padded), channels]), b.constant(int64([seen.length], seen), 'seen')],
    { axis: int(1) },
  );
  const positions = n * sizeOf(size);
  const taps = sizeOf(window.kernel);
  const rows = b.reshape(b.transpose(dy, channelsFirst(yShape)), [filters, positions]);
  const product = b.gemm(rows, b.reshape(patches, [positions, taps * channels]));
  const byTap = b.reshape(product, [filters, taps, channels]);
  return b.reshape(b.transpose(byTap, [0, 2, 1]), wShape);
}

/** For each window, in row-major order, the indices of the pixels under its taps in a flattened image of size `padded`. */
function seenPixels(
  { kernel, strides, dilations }: Window,
  size: readonly number[],
  padded: readonly number[],
): number[] {
  const cells = (shape: readonly number[], steps: readonly number[]): number[] =>
    shape.reduce<number[]>(
      (all, length, i) =>
        all.flatMap((at) => Array.from({ length }, (_, j) => at * padded[i]! + j * steps[i]!)),
      [0],
    );
  const taps = cells(kernel, dilations);
  return cells(size, strides).flatMap((corner) => taps.map((tap) => corner + tap));
}

/** x [N,C,S…], dy [N,M,O…] -> dw [M,C/g,K…] */
export function weightGradientByConvolution(
  b: GraphBuilder,
  { x, dy, xShape, wShape, yShape, window }: ConvWeightGradient,
  group: number,
): string {
  const [n, , ...spatial] = xShape as [number, number, ...number[]];
  const cg = wShape[1]!;
  const grouped = b.reshape(x, [n, group, cg, ...spatial]);
  const imagesFirst = b.transpose(grouped, [2, 1, 0, ...spatial.map((_, i) => i + 3)]);
  const xT = b.reshape(imagesFirst, [cg, group * n, ...spatial]);
  const dyT = b.transpose(dy, channelsFirst(yShape));
  return kernelFromImage(b, wShape, b.op('Conv', [xT, dyT], batchAsChannels(yShape, window, group)));
}

/**
 * The weight gradient as a convolution in which the batch takes the place of the channels: with xᵀ [C/g, g·N, S…] as input and
 * dyᵀ [M, N, O…] as kernel, stride and dilation trade places and the "image" that comes out is dwᵀ [C/g, M, K…].
 */
export const batchAsChannels = (yShape: readonly number[], window: Window, group: number): Attributes => ({
  kernel_shape: ints(yShape.slice(2)),
  strides: ints(window.dilations),
  dilations: ints(window.strides),
  pads: ints([...window.padsBegin, ...window.padsEnd]),
  group: int(group),
});

/** dw from that image, which is larger than the kernel where a stride leaves rows of x unused. */
export function kernelFromImage(b: GraphBuilder, wShape: readonly number[], image: string): string {
  const axes = wShape.map((_, i) => i).slice(2);
  const cropped = b.slice(
    image,
    axes,
    axes.map(() => 0),
    wShape.slice(2),
  );
  return b.transpose(cropped, channelsFirst(wShape));
}

/** Swaps the first two axes. */
export const channelsFirst = (shape: readonly number[]): number[] => [
  1,
  0,
  ...shape.map((_, i) => i).slice(2),
];
