/** Shapes of rule that elementwise operators share. */

import type { GraphBuilder } from '../../onnx/builder.ts';
import { type Rule, type RuleContext, unbroadcast } from '../rule.ts';

export const largestFloat32 = 3.4028234663852886e38;

/** y = f(x), element by element: dx = dy · slope. */
export const unary =
  (slope: (c: RuleContext) => string): Rule =>
  (c) => [() => c.b.mul(c.dy(), slope(c))];

/** Sums a gradient of the output's shape over the axes along which input `i` was broadcast. `[y] -> [x_i]` */
export const toInput = (c: RuleContext, i: number, gradient: string): string =>
  unbroadcast(c.b, gradient, c.yShape(), c.xShape(i));

/**
 * A slope, or 0 where it is infinite or not a number: √x and 1/x at 0, x^½ below 0.
 *
 * There the function has no derivative, but such points occur in branches that a later Where discards: with dy = 0
 * they must contribute 0, and not 0 · ∞ = NaN.
 */
export function finite(b: GraphBuilder, slope: string): string {
  const inRange = b.op('LessOrEqual', [b.op('Abs', [slope]), b.scalar(largestFloat32)]);
  return b.where(inRange, slope, b.scalar(0));
}
