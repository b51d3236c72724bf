/**
 * Quantization, with the straight-through estimator: rounding counts as the identity.
 *
 * The gradient of a quantized value is that of the real number q = x/s + z before rounding, in float32. So both
 * operators follow the chain rule on their own, and QuantizeLinear then DequantizeLinear pass dy unchanged inside the
 * representable range and 0 outside. The gradient of a scale comes out as in learned step size quantization
 * (Esser et al., ICLR 2020, https://arxiv.org/abs/1902.08153).
 */

import type { DType } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import { type Rule, type RuleContext, unbroadcast } from '../rule.ts';

type Range = readonly [smallest: number, largest: number];

const ranges: Partial<Record<DType, Range>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** Ranges of the types the IR holds as `opaque`, by ONNX data type number: uint4 and int4. */
const packedRanges: Readonly<Record<number, Range>> = { 21: [0, 15], 22: [-8, 7] };

/** The integers that the output of a QuantizeLinear node can hold. */
function rangeOf(c: RuleContext): Range {
  const range = ranges[c.dtype(c.y())] ?? packedRanges[c.constant(2)?.opaqueType ?? c.int('output_dtype', 0)];
  if (!range) throw c.unsupported('only 4, 8 and 16 bit integer results have a straight-through gradient');
  return range;
}

/** The shape in which scale and zero point broadcast to x: one for all, or one for each place along `axis`. */
function alignedShape(c: RuleContext): readonly number[] {
  const scale = c.xShape(1);
  if (scale.length === 0) return scale;
  if (scale.length > 1 || c.int('block_size', 0) !== 0) throw c.unsupported('it is quantized in blocks');
  const x = c.xShape();
  if (scale[0] === 1) return x.map(() => 1);
  const axis = c.axis(c.int('axis', 1), x.length);
  return x.map((_, i) => (i === axis ? scale[0]! : 1));
}

const aligned = (c: RuleContext, value: string): string =>
  c.xShape(1).length === 0 ? value : c.b.reshape(value, alignedShape(c));

const scaleOf = (c: RuleContext): string => aligned(c, c.x(1));

const zeroPointOf = (c: RuleContext): string =>
  c.has(2) ? aligned(c, c.b.cast(c.x(2), 'float32')) : c.b.scalar(0);

/** Sums a gradient of x's shape to the shape of the scale. */
const toScale = (c: RuleContext, gradient: string): string =>
  c.b.reshape(unbroadcast(c.b, gradient, c.xShape(), alignedShape(c)), c.xShape(1));

// q = saturate(round(x/s) + z):  dx = dq / s where q does not saturate,  ds = -Σ dx · x/s
const quantize: Rule = (c) => {
  const { b } = c;
  const [smallest, largest] = rangeOf(c);
  const s = scaleOf(c);
  const z = zeroPointOf(c);
  /** The x that lands on `q`, an integer or half of one. */
  const real = (q: number): string => b.mul(b.sub(b.scalar(q), z), s);
  const inRange = b.op('And', [
    b.op('Greater', [c.x(), real(smallest - 0.5)]),
    b.op('Less', [c.x(), real(largest + 0.5)]),
  ]);
  const dx = b.where(inRange, b.div(c.dy(), s), b.scalar(0));
  return [() => dx, () => b.neg(toScale(c, b.mul(dx, b.div(c.x(), s))))];
};

// y = (q - z) · s:  dq = dy · s,  ds = Σ dy · (q - z)
const dequantize: Rule = (c) => [
  () => c.b.mul(c.dy(), scaleOf(c)),
  () => toScale(c, c.b.mul(c.dy(), c.b.sub(c.b.cast(c.x(), 'float32'), zeroPointOf(c)))),
];

export const quantizationRules = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
} satisfies RuleFamily<'quantization'>;
