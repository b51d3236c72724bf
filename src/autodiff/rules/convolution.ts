/**
 * Convolutions. Transpose algebra: reversing a convolution turns stride into dilation of the gradient, flips the kernel
 * and swaps its channel axes; dilation of the kernel stays.
 */

import { type Attributes, int, ints } from '../../onnx/graph.ts';
import { int64, sizeOf, type Tensor } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { extent, type Window, windowOf } from '../window.ts';

const attributesOf = (window: Window, group: number): Attributes => ({
  kernel_shape: ints(window.kernel),
  strides: ints(window.strides),
  dilations: ints(window.dilations),
  pads: ints([...window.padsBegin, ...window.padsEnd]),
  group: int(group),
});

// y = x * w + bias;  x [N,C,S…], w [M,C/g,K…], bias [M], y [N,M,O…]
const conv: Rule = (c) => {
  const [x, w] = [c.x(0), c.x(1)];
  const group = c.int('group', 1);
  const window = windowOf(c, c.xShape(0).slice(2), c.yShape().slice(2), c.xShape(1).slice(2));
  return [
    () => inputGradient(c, c.dy(), { window, group }),
    () =>
      weightGradient(c, {
        x,
        xShape: c.shape(x),
        dy: c.dy(),
        dyShape: c.yShape(),
        wShape: c.shape(w),
        window,
        group,
      }),
    () => biasGradient(c),
  ];
};

// y = xᵀ * w + bias;  x [N,C,S…], w [C,M/g,K…], y [N,M,O…]: the transpose of the convolution that maps y to x
const convTranspose: Rule = (c) => {
  const group = c.int('group', 1);
  const [xShape, wShape, yShape] = [c.xShape(0), c.xShape(1), c.yShape()];
  const window = transposedWindow(c, xShape.slice(2), yShape.slice(2), wShape.slice(2));
  return [
    // dx [N,C,S…] = conv(dy, w); trailing rows exist only where output_padding exceeds a stride
    () => c.b.op('Conv', [croppedTo(c, window), c.x(1)], attributesOf(window, group)),
    () =>
      weightGradient(c, {
        x: croppedTo(c, window),
        xShape: [yShape[0]!, yShape[1]!, ...coveredSize(c, window)],
        dy: c.x(0),
        dyShape: xShape,
        wShape,
        window,
        group,
      }),
    () => biasGradient(c),
  ];
};

/** dbias [M] = sum of dy [N,M,O…] over all but the channels. */
const biasGradient = (c: RuleContext): string =>
  c.b.reduceSum(
    c.dy(),
    c
      .yShape()
      .map((_, i) => i)
      .filter((i) => i !== 1),
    false,
  );

/**
 * ONNX Runtime's blocked convolution kernels fill up to 8 output channels, so for the 1 or 3 channels of an image a
 * ConvTranspose takes less than half the time.
 */
const fewChannels = 8;

/**
 * Kernels that are fed (weights under training) keep convolutions out of the blocked layout. Over images of up to this many
 * pixels ConvTranspose then takes half the time: it spends nothing on the padding that a plain convolution needs.
 */
const fewPixels = 196;

/** dy [N,M,O…] -> dx [N,C,S…] of a Conv node. */
function inputGradient(
  c: RuleContext,
  dy: string,
  { window, group }: { window: Window; group: number },
): string {
  const size = c.xShape(0).slice(2);
  const { kernel, strides, dilations, padsBegin, padsEnd } = window;
  const isSmall = c.xShape(0)[1]! < fewChannels || (!c.constant(1) && sizeOf(size) <= fewPixels);
  if (strides.every((s) => s === 1) && !isSmall) {
    // Stride 1: a plain convolution with the flipped, channel-transposed kernel, which runs faster than ConvTranspose.
    const pads = [...padsBegin, ...padsEnd].map((p, i) => {
      const axis = i % kernel.length;
      return extent(kernel[axis]!, dilations[axis]!) - 1 - p;
    });
    const rank = kernel.length;
    // Padding wider than the kernel makes outputs that see no pixel at all: those rows of dy are cut off.
    const cropped = c.b.pad(dy, [
      0,
      0,
      ...pads.slice(0, rank).map(negative),
      0,
      0,
      ...pads.slice(rank).map(negative),
    ]);
    return c.b.op('Conv', [cropped, flippedKernel(c, group)], {
      kernel_shape: ints(kernel),
      dilations: ints(dilations),
      pads: ints(pads.map((p) => Math.max(0, p))),
      group: int(group),
    });
  }
  // Strided: rows of x behind the last window get gradient zero, which output_padding expresses.
  const dyShape = c.yShape().slice(2);
  const outputPadding = size.map(
    (s, i) =>
      s - ((dyShape[i]! - 1) * strides[i]! + extent(kernel[i]!, dilations[i]!) - padsBegin[i]! - padsEnd[i]!),
  );
  return c.b.op('ConvTranspose', [dy, c.x(1)], {
    ...attributesOf(window, group),
    output_padding: ints(outputPadding),
  });
}

const negative = (p: number): number => Math.min(0, p);

/** w [M,C/g,K…] -> [C,M/g,K…] with every spatial axis reversed; computed here where w is constant. */
function flippedKernel(c: RuleContext, group: number): string {
  const shape = c.xShape(1);
  const [m, cg] = [shape[0]! / group, shape[1]!];
  const kernel = shape.slice(2);
  const constant = c.constant(1);
  if (constant) {
    const flipped: Tensor<'float32'> = {
      dtype: 'float32',
      dims: [group * cg, m, ...kernel],
      data: flip(constant.data as Float32Array, group, m, cg, sizeOf(kernel)),
    };
    return c.b.constant(flipped, 'kernel');
  }
  const axes = kernel.map((_, i) => i + 2);
  const reversed = c.b.slice(
    c.x(1),
    axes,
    axes.map(() => -1),
    axes.map(() => Number.MIN_SAFE_INTEGER),
    axes.map(() => -1),
  );
  const grouped = c.b.reshape(reversed, [group, m, cg, ...kernel]);
  const swapped = c.b.transpose(grouped, [0, 2, 1, ...axes.map((a) => a + 1)]);
  return c.b.reshape(swapped, [group * cg, m, ...kernel]);
}

function flip(w: Float32Array, group: number, m: number, cg: number, taps: number): Float32Array {
  const out = new Float32Array(w.length);
  for (let g = 0; g < group; g++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < cg; j++) {
        const from = ((g * m + i) * cg + j) * taps;
        const to = ((g * cg + j) * m + i) * taps;
        // Reversing all spatial axes at once is reversing the flattened taps.
        for (let t = 0; t < taps; t++) out[to + taps - 1 - t] = w[from + t]!;
      }
    }
  }
  return out;
}

interface WeightGradientOptions {
  readonly x: string;
  readonly xShape: readonly number[];
  readonly dy: string;
  readonly dyShape: readonly number[];
  readonly wShape: readonly number[];
  readonly window: Window;
  readonly group: number;
}

/** Patches of more elements are not written out: 256 MiB. */
const maxPatchElements = 2 ** 26;

/**
 * x [N,C,S…], dy [N,M,O…] -> dw [M,C/g,K…].
 *
 * As one matrix product it takes half the time of a convolution, but memory for what each window sees; with few channels,
 * collecting that takes longer than it saves.
 */
function weightGradient(c: RuleContext, options: WeightGradientOptions): string {
  const { dyShape, wShape, group } = options;
  const patchElements = (sizeOf(dyShape) / dyShape[1]!) * sizeOf(wShape.slice(1));
  const isProduct = group === 1 && wShape[1]! >= fewChannels && patchElements <= maxPatchElements;
  return isProduct ? weightGradientByProduct(c, options) : weightGradientByConvolution(c, options);
}

/**
 * dw [M, K·C] = dyᵀ [M, N·O] · patches [N·O, K·C], where a row of the patches holds what one window saw, tap by tap.
 *
 * Channels stand last, so that a tap of a patch is one piece of memory.
 */
function weightGradientByProduct(c: RuleContext, options: WeightGradientOptions): string {
  const { b } = c;
  const { x, xShape, dy, dyShape, wShape, window } = options;
  const [n, channels] = xShape as [number, number];
  const filters = dyShape[1]!;
  const size = dyShape.slice(2);
  const { padsBegin, padsEnd } = window;
  const padded = xShape.slice(2).map((s, i) => s + padsBegin[i]! + padsEnd[i]!);
  const channelsLast = [0, ...size.map((_, i) => i + 2), 1];
  const pixels = b.transpose(b.pad(x, [0, 0, ...padsBegin, 0, 0, ...padsEnd]), channelsLast);
  const seen = seenPixels(window, size, padded);
  const patches = b.op(
    'Gather',
    [b.reshape(pixels, [n, sizeOf(padded), channels]), b.constant(int64([seen.length], seen), 'seen')],
    { axis: int(1) },
  );
  const positions = n * sizeOf(size);
  const taps = sizeOf(window.kernel);
  const rows = b.reshape(b.transpose(dy, channelsLast), [positions, filters]);
  const product = b.gemm(rows, b.reshape(patches, [positions, taps * channels]), { transA: true });
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

/**
 * As a convolution in which the batch takes the place of the channels: with xᵀ [C/g, g·N, S…] as input and dyᵀ [M, N, O…]
 * as kernel, stride and dilation trade places and the "image" that comes out is dwᵀ [C/g, M, K…].
 */
function weightGradientByConvolution(c: RuleContext, options: WeightGradientOptions): string {
  const { b } = c;
  const { x, xShape, dy, dyShape, wShape, window, group } = options;
  const [n, cg] = [xShape[0]!, wShape[1]!];
  const spatial = xShape.slice(2);
  const axes = spatial.map((_, i) => i);
  const grouped = b.reshape(x, [n, group, cg, ...spatial]);
  const xT = b.reshape(b.transpose(grouped, [2, 1, 0, ...axes.map((a) => a + 3)]), [
    cg,
    group * n,
    ...spatial,
  ]);
  const swap = [1, 0, ...axes.map((a) => a + 2)];
  const dyT = b.transpose(dy, swap);
  const image = b.op('Conv', [xT, dyT], {
    kernel_shape: ints(dyShape.slice(2)),
    strides: ints(window.dilations),
    dilations: ints(window.strides),
    pads: ints([...window.padsBegin, ...window.padsEnd]),
    group: int(group),
  });
  // Where a stride leaves rows of x unused, the image is larger than the kernel.
  const cropped = b.slice(
    image,
    axes.map((a) => a + 2),
    axes.map(() => 0),
    wShape.slice(2),
  );
  return b.transpose(cropped, swap);
}

/**
 * The window of the convolution that a ConvTranspose node reverses.
 *
 * @see ONNX ConvTranspose: with output_shape or SAME padding the pads follow from the output size
 */
function transposedWindow(
  c: RuleContext,
  small: readonly number[],
  large: readonly number[],
  kernel: readonly number[],
): Window {
  const window = windowOf(c, large, small, kernel);
  if (!c.ints('output_shape')) return window;
  const outputPadding = c.ints(
    'output_padding',
    kernel.map(() => 0),
  );
  const total = kernel.map((k, i) =>
    Math.max(
      0,
      window.strides[i]! * (small[i]! - 1) + outputPadding[i]! + extent(k, window.dilations[i]!) - large[i]!,
    ),
  );
  const half = total.map((t) => Math.floor(t / 2));
  const rest = total.map((t) => Math.ceil(t / 2));
  return c.string('auto_pad', 'NOTSET') === 'SAME_UPPER'
    ? { ...window, padsBegin: half, padsEnd: rest }
    : { ...window, padsBegin: rest, padsEnd: half };
}

/** Spatial size of the part of y that the windows of a ConvTranspose reach. */
const coveredSize = (c: RuleContext, { kernel, strides, dilations, padsBegin, padsEnd }: Window): number[] =>
  c
    .yShape()
    .slice(2)
    .map((size, i) => {
      const reached =
        strides[i]! * (c.xShape(0)[i + 2]! - 1) +
        extent(kernel[i]!, dilations[i]!) -
        padsBegin[i]! -
        padsEnd[i]!;
      return Math.min(size, reached + strides[i]! - 1);
    });

/** dy without the rows that output_padding added beyond every window: they carry only the bias. */
function croppedTo(c: RuleContext, window: Window): string {
  const covered = coveredSize(c, window);
  const size = c.yShape().slice(2);
  const excess = size.map((s, i) => covered[i]! - s);
  const none = [0, 0, ...size.map(() => 0)];
  return c.b.pad(c.dy(), [...none, 0, 0, ...excess]);
}

export const convolutionRules: RuleFamily<'convolution'> = { Conv: conv, ConvTranspose: convTranspose };
