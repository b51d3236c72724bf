/** Pooling. */

import { int, ints } from '../../onnx/graph.ts';
import { float32, sizeOf } from '../../onnx/tensor.ts';
import { maxPoolGradient } from '../backward-operators.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { extent, type Window, windowOf } from '../window.ts';

function poolingWindow(c: RuleContext): Window {
  const kernel = c.ints('kernel_shape');
  if (!kernel) throw c.unsupported('it has no kernel_shape');
  return windowOf(c, c.xShape().slice(2), c.yShape().slice(2), kernel);
}

const toMaxima = (c: RuleContext, window: Window): string =>
  maxPoolGradient(c.b, { x: c.x(), y: c.y(), dy: c.dy(), xShape: c.xShape(), yShape: c.yShape(), window });

// y = largest x of each window; dy goes to the first position that holds it.  x [N,C,S…], y [N,C,O…]
const maxPool: Rule = (c) => {
  const window = poolingWindow(c);
  return [() => toMaxima(c, window)];
};

// y = mean of each window;  dx = every dy / count spread over its window: a depthwise transposed convolution with ones
const averagePool: Rule = (c) => {
  const window = poolingWindow(c);
  return [() => spread(c, window)];
};

function spread(c: RuleContext, window: Window): string {
  const [n, channels, ...size] = c.xShape() as [number, number, ...number[]];
  const output = c.yShape().slice(2);
  const perCell = float32([1, 1, ...output], inverseCounts(c, window, size, output));
  const share = c.b.mul(c.dy(), c.b.constant(perCell, 'share'));
  // Each channel stands alone, so channels join the batch and the kernel is a single plane of ones.
  const flat = c.b.reshape(share, [n * channels, 1, ...output]);
  const ones = float32([1, 1, ...window.kernel], new Float32Array(sizeOf(window.kernel)).fill(1));
  const reach = output.map(
    (o, i) => window.strides[i]! * (o - 1) + extent(window.kernel[i]!, window.dilations[i]!),
  );
  const full = c.b.op('ConvTranspose', [flat, c.b.constant(ones, 'ones')], {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    group: int(1),
  });
  // `full` covers the padded image as far as windows reach: cut the padding off, extend to rows no window sees.
  const none = [0, 0];
  const begin = window.padsBegin.map((p) => -p);
  const end = size.map((s, i) => s + window.padsBegin[i]! - reach[i]!);
  return c.b.reshape(c.b.pad(full, [...none, ...begin, ...none, ...end]), c.xShape());
}

/**
 * 1 / (number of cells a window averages over), row-major over the output.
 *
 * @see ONNX AveragePool: with count_include_pad the padding counts, but never what ceil_mode adds beyond it
 */
function inverseCounts(
  c: RuleContext,
  window: Window,
  size: readonly number[],
  output: readonly number[],
): Float32Array {
  const includePad = c.int('count_include_pad', 0) === 1;
  const perAxis = output.map((o, i) => {
    const low = includePad ? -window.padsBegin[i]! : 0;
    const high = includePad ? size[i]! + window.padsEnd[i]! : size[i]!;
    return Array.from({ length: o }, (_, cell) => {
      const start = cell * window.strides[i]! - window.padsBegin[i]!;
      const taps = Array.from({ length: window.kernel[i]! }, (_, t) => start + t * window.dilations[i]!);
      return taps.filter((t) => t >= low && t < high).length;
    });
  });
  const counts = perAxis.reduce<number[]>((all, axis) => all.flatMap((a) => axis.map((b) => a * b)), [1]);
  return Float32Array.from(counts, (count) => 1 / count);
}

// y [N,C,1…] = mean of x [N,C,S…]
const globalAveragePool: Rule = (c) => [
  () => c.b.expand(c.b.scale(c.dy(), 1 / sizeOf(c.xShape().slice(2))), c.xShape()),
];

// y [N,C,1…] = max of x [N,C,S…]: one window over everything
const globalMaxPool: Rule = (c) => {
  const kernel = c.xShape().slice(2);
  const ones = kernel.map(() => 1);
  const zeros = kernel.map(() => 0);
  const window = { kernel, strides: kernel, dilations: ones, padsBegin: zeros, padsEnd: zeros };
  return [() => toMaxima(c, window)];
};

export const poolingRules: RuleFamily<'pooling'> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
};
