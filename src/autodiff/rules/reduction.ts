/** Reductions over axes, and CumSum. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { int } from '../../onnx/graph.ts';
import { toNumbers } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { finite } from './elementwise.ts';

/** What a reduction's gradient is made of. `y` and `dy` keep the reduced axes with size 1: they broadcast to `x`. */
interface Reduction {
  readonly b: GraphBuilder;
  readonly x: string;
  readonly y: string;
  readonly dy: string;
  readonly axes: readonly number[];
  /** Number of elements that make one element of y. */
  readonly count: number;
  /** A value of y's shape repeated to x's shape. */
  spread(value: string): string;
}

/** A rule from `dx [x]`, an expression in {@link Reduction}. */
const reduction =
  (dx: (r: Reduction) => string): Rule =>
  (c) => [
    () => {
      const { b } = c;
      const shape = c.xShape();
      const axes = reducedAxes(c);
      const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
      const keep = (value: string): string => (c.int('keepdims', 1) === 1 ? value : b.reshape(value, kept));
      return dx({
        b,
        x: c.x(),
        y: keep(c.y()),
        dy: keep(c.dy()),
        axes,
        count: axes.reduce((n, a) => n * shape[a]!, 1),
        spread: (value) => b.expand(value, shape),
      });
    },
  ];

/** The axes counted from the front; all of them if none is listed, unless noop_with_empty_axes says otherwise. */
function reducedAxes(c: RuleContext): readonly number[] {
  const rank = c.xShape().length;
  const listed = c.has(1) ? toNumbers(c.requireConstant(1, 'list of axes')) : [];
  if (listed.length > 0) return listed.map((a) => c.axis(a, rank));
  return c.int('noop_with_empty_axes', 0) === 1 ? [] : c.xShape().map((_, i) => i);
}

// y = largest x, or smallest: dy goes to the elements that hold y, in equal parts (PyTorch's amax and amin)
const extremum = reduction(({ b, x, y, dy, axes }) => {
  const holds = b.cast(b.op('Equal', [x, y]), 'float32');
  return b.mul(holds, b.div(dy, b.reduceSum(holds, axes, true)));
});

// y = Π x:  dx_i = dy · Π_{j≠i} x_j, which is 0 unless all other elements differ from 0
const product = reduction(({ b, x, dy, axes }) => {
  const isZero = b.op('Equal', [x, b.scalar(0)]);
  const nonZero = b.where(isZero, b.scalar(1), x);
  const zeros = b.cast(isZero, 'float32');
  const otherZeros = b.sub(b.reduceSum(zeros, axes, true), zeros);
  const others = b.div(b.reduce('ReduceProd', nonZero, axes, true), nonZero);
  return b.mul(dy, b.where(b.op('Equal', [otherZeros, b.scalar(0)]), others, b.scalar(0)));
});

export const reductionRules = {
  ReduceSum: reduction(({ dy, spread }) => spread(dy)),
  ReduceMean: reduction(({ b, dy, count, spread }) => spread(b.scale(dy, 1 / count))),
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceProd: product,
  // y = Σ |x|
  ReduceL1: reduction(({ b, x, dy }) => b.mul(b.op('Sign', [x]), dy)),
  // y = √Σ x²:  dx = dy · x / y, 0 for the zero vector
  ReduceL2: reduction(({ b, x, y, dy }) => b.mul(x, b.mul(dy, finite(b, b.op('Reciprocal', [y]))))),
  // y = Σ x²
  ReduceSumSquare: reduction(({ b, x, dy }) => b.mul(x, b.scale(dy, 2))),
  // y = ln Σ x:  dx = dy / Σ x = dy · exp(-y)
  ReduceLogSum: reduction(({ b, y, dy, spread }) => spread(b.mul(dy, finite(b, b.op('Exp', [b.neg(y)]))))),
  // y = ln Σ exp x:  dx = dy · exp(x - y)
  ReduceLogSumExp: reduction(({ b, x, y, dy }) => b.mul(dy, b.op('Exp', [b.sub(x, y)]))),
  // Element i enters every later sum, so gradients add up in the opposite direction.
  CumSum: (c) => [
    () =>
      c.b.op('CumSum', [c.dy(), c.x(1)], {
        exclusive: int(c.int('exclusive', 0)),
        reverse: int(1 - c.int('reverse', 0)),
      }),
  ],
} satisfies RuleFamily<'reduction'>;
