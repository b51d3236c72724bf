/** The gradient of max pooling from standard operators. */

import type { MaxPoolGradient } from '../autodiff/backward-operators.ts';
import { extent } from '../autodiff/window.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import { int, ints, string } from '../onnx/graph.ts';
import { float32, sizeOf } from '../onnx/tensor.ts';
import type { LowerOptions } from './lower.ts';

/** Below every activation, yet finite: 0 · lowest is 0. */
const lowest = -3.4e38;

/** With more interleaved grids than this, a scatter is cheaper where it can be had (measured: stride-1 3×3 pooling has 9). */
const maxGrids = 1;

/**
 * dx [N,C,S…] of a max pooling: each window's dy lands on the first of its maxima.
 *
 * Windows are split into grids within which no two overlap (4 grids for 3×3 at stride 2). Inside a grid the gradient is
 * elementwise: enlarge y and dy to the image, compare. Equal cells in one window are told apart by a second pooling over a
 * code that falls in row-major order. Nothing here scatters, so the result is deterministic on every provider.
 */
export function lowerMaxPoolGradient(
  b: GraphBuilder,
  gradient: MaxPoolGradient,
  options: LowerOptions,
): string {
  const { window, xShape, yShape } = gradient;
  const grids = window.kernel.map((k, i) => Math.ceil(extent(k, window.dilations[i]!) / window.strides[i]!));
  if (options.scatter && sizeOf(grids) > maxGrids) return scattered(b, gradient);
  // One channel an image: with more, ONNX Runtime would convert to its blocked layout and back around each pooling.
  const planes = (value: string, [n = 1, channels = 1, ...size]: readonly number[]): string =>
    b.reshape(value, [n * channels, 1, ...size]);
  const flat = {
    ...gradient,
    x: planes(gradient.x, xShape),
    y: planes(gradient.y, yShape),
    dy: planes(gradient.dy, yShape),
  };
  const parts = grids
    .reduce<number[][]>((all, n) => all.flatMap((g) => Array.from({ length: n }, (_, i) => [...g, i])), [[]])
    .filter((phase) => phase.every((p, i) => p < yShape[i + 2]!))
    .map((phase) => oneGrid(b, flat, grids, phase));
  return parts.reduce((a, part) => b.add(a, part));
}

/** The part of dx due to the windows `phase + grids·j`. */
function oneGrid(
  b: GraphBuilder,
  g: MaxPoolGradient,
  grids: readonly number[],
  phase: readonly number[],
): string {
  const { strides, padsBegin } = g.window;
  const size = g.xShape.slice(2);
  const period = strides.map((s, i) => s * grids[i]!);
  const cells = phase.map((p, i) => Math.ceil((g.yShape[i + 2]! - p) / grids[i]!));
  // The image region these windows tile, in coordinates of x
  const start = phase.map((p, i) => p * strides[i]! - padsBegin[i]!);
  const end = start.map((s, i) => s + cells[i]! * period[i]!);

  const select = (value: string): string =>
    grids.every((n) => n === 1)
      ? value
      : b.slice(
          value,
          phase.map((_, i) => i + 2),
          phase,
          g.yShape.slice(2),
          grids,
        );
  const region = tile(b, g.x, start, end, size);
  const isMax = b.op('Equal', [region, enlarge(b, select(g.y), period)]);
  const code = b.constant(windowCode(g, period, cells), 'code');
  const coded = b.mul(b.cast(isMax, 'float32'), code);
  const first = b.op('MaxPool', [coded], { kernel_shape: ints(period), strides: ints(period) });
  const isFirst = b.op('Equal', [coded, enlarge(b, first, period)]);
  const dx = b.mul(b.cast(isFirst, 'float32'), enlarge(b, select(g.dy), period));
  // Back to channels before padding, so that ONNX Runtime can merge the padding into a convolution that follows
  return b.pad(b.reshape(dx, [...g.xShape.slice(0, 2), ...end.map((e, i) => e - start[i]!)]), [
    0,
    0,
    ...start,
    0,
    0,
    ...end.map((e, i) => size[i]! - e),
  ]);
}

/** `x[start:end]` along the spatial axes, filled up where that reaches beyond the image. */
function tile(
  b: GraphBuilder,
  x: string,
  start: readonly number[],
  end: readonly number[],
  size: readonly number[],
): string {
  const axes = size.map((_, i) => i + 2);
  const [from, to] = [start.map((s) => Math.max(0, s)), end.map((e, i) => Math.min(e, size[i]!))];
  const isWhole = from.every((f) => f === 0) && to.every((t, i) => t === size[i]);
  // Cropping by Slice takes a third of the time of a Pad with negative amounts.
  const cropped = isWhole ? x : b.slice(x, axes, from, to);
  const before = start.map((s) => Math.max(0, -s));
  const after = end.map((e, i) => Math.max(0, e - size[i]!));
  return b.pad(cropped, [0, 0, ...before, 0, 0, ...after], lowest);
}

/** [N,C,O…] -> [N,C,O·period…], each cell repeated. */
function enlarge(b: GraphBuilder, value: string, period: readonly number[]): string {
  if (period.every((p) => p === 1)) return value;
  // Doubling twice takes a quarter of the time of enlarging by 4: only doubling has a kernel of its own.
  const doubles = period.every((p) => p > 2 && p % 2 === 0);
  const small = doubles
    ? enlarge(
        b,
        value,
        period.map((p) => p / 2),
      )
    : value;
  const scales = b.constant(
    float32([period.length + 2], [1, 1, ...(doubles ? period.map(() => 2) : period)]),
  );
  return b.op('Resize', [small, '', scales], {
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  });
}

/** [1,1,O·period…]: within each window a different positive number a cell, largest first; zero between windows. */
function windowCode(g: MaxPoolGradient, period: readonly number[], cells: readonly number[]) {
  const { kernel, dilations } = g.window;
  const size = period.map((p, i) => p * cells[i]!);
  const data = new Float32Array(sizeOf(size));
  for (let flat = 0; flat < data.length; flat++) {
    let rest = flat;
    let rank = 0;
    let weight = 1;
    let inside = true;
    for (let i = size.length - 1; i >= 0; i--) {
      const offset = (rest % size[i]!) % period[i]!;
      rest = Math.floor(rest / size[i]!);
      inside &&= offset % dilations[i]! === 0 && offset / dilations[i]! < kernel[i]!;
      rank += offset * weight;
      weight *= period[i]!;
    }
    data[flat] = inside ? weight - rank : 0;
  }
  return float32([1, 1, ...size], data);
}

/** Through the indices of a second pooling; each is a position in the flattened x. */
function scattered(b: GraphBuilder, g: MaxPoolGradient): string {
  const { kernel, strides, dilations, padsBegin, padsEnd } = g.window;
  const indices = b.ops('MaxPool', [g.x], 2, {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    dilations: ints(dilations),
    pads: ints([...padsBegin, ...padsEnd]),
    // Output sizes were settled by the forward node; ceil_mode only ever adds windows.
    ceil_mode: int(usesCeil(g) ? 1 : 0),
  })[1]!;
  const flat = b.op(
    'ScatterElements',
    [
      b.fill([sizeOf(g.xShape)], 0),
      b.reshape(indices, [sizeOf(g.yShape)]),
      b.reshape(g.dy, [sizeOf(g.yShape)]),
    ],
    { axis: int(0), reduction: string('add') },
  );
  return b.reshape(flat, g.xShape);
}

const usesCeil = (g: MaxPoolGradient): boolean =>
  g.window.kernel.some((k, i) => {
    const { strides, dilations, padsBegin, padsEnd } = g.window;
    const room = g.xShape[i + 2]! + padsBegin[i]! + padsEnd[i]! - extent(k, dilations[i]!);
    return g.yShape[i + 2]! > Math.floor(room / strides[i]!) + 1;
  });
