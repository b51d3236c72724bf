/** Convolutions. */

import { int } from '../../onnx/graph.ts';
import { sizeOf, type Tensor } from '../../onnx/tensor.ts';
import {
  type ConvWeightGradient,
  convInputGradient,
  convWeightGradient,
  windowAttributes,
} from '../backward-operators.ts';
import {
  fewChannels,
  inputGradient,
  inputGradientByTranspose,
  isStrided,
  reversedConvolution,
  weightGradientByConvolution,
} from '../convolution-gradients.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { extent, type Window, windowOf } from '../window.ts';

// y = x * w + bias;  x [N,C,S…], w [M,C/g,K…], bias [M], y [N,M,O…]
const conv: Rule = (c) => {
  const [x, w] = [c.x(0), c.x(1)];
  const group = c.int('group', 1);
  const window = windowOf(c, c.xShape(0).slice(2), c.yShape().slice(2), c.xShape(1).slice(2));
  return [
    () => dx(c, { window, group }),
    () => {
      const shapes = { xShape: c.shape(x), wShape: c.shape(w), yShape: c.yShape() };
      return dw(c, { x, dy: c.dy(), ...shapes, window }, group);
    },
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
    () => c.b.op('Conv', [croppedTo(c, window), c.x(1)], { ...windowAttributes(window), group: int(group) }),
    () => {
      const covered = [yShape[0]!, yShape[1]!, ...coveredSize(c, window)];
      const shapes = { xShape: covered, wShape, yShape: xShape };
      return dw(c, { x: croppedTo(c, window), dy: c.x(0), ...shapes, window }, group);
    },
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

/** dy [N,M,O…] -> dx [N,C,S…] of a Conv node. */
function dx(c: RuleContext, { window, group }: { window: Window; group: number }): string {
  const [xShape, wShape, yShape] = [c.xShape(0), c.xShape(1), c.yShape()];
  const gradient = { dy: c.dy(), w: c.x(1), xShape, wShape, yShape, window };
  const constant = c.constant(1);
  if (!constant) return group === 1 ? convInputGradient(c.b, gradient) : inputGradient(c.b, gradient, group);
  if (isStrided(window) || xShape[1]! < fewChannels) return inputGradientByTranspose(c.b, gradient, group);
  // A plain convolution with the flipped, channel-transposed kernel, which runs faster than ConvTranspose.
  const [m, cg, ...taps] = wShape as [number, number, ...number[]];
  const flipped: Tensor<'float32'> = {
    dtype: 'float32',
    dims: [xShape[1]!, m / group, ...taps],
    data: flip(constant.data as Float32Array, group, m / group, cg, sizeOf(taps)),
  };
  return reversedConvolution(c.b, c.dy(), window, group, (cut, attributes) =>
    c.b.op('Conv', [cut, c.b.constant(flipped, 'kernel')], attributes),
  );
}

/** w [M,C/g,K…] -> [C,M/g,K…] with every spatial axis reversed. */
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

/** x [N,C,S…], dy [N,M,O…] -> dw [M,C/g,K…] */
const dw = (c: RuleContext, gradient: ConvWeightGradient, group: number): string =>
  group === 1 ? convWeightGradient(c.b, gradient) : weightGradientByConvolution(c.b, gradient, group);

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
