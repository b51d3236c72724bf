/** Arithmetic and elementary functions. Binary operators broadcast: every gradient is summed back to its input's shape. */

import { toNumbers } from '../../onnx/tensor.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { finite, largestFloat32, toInput, unary } from './elementwise.ts';

// y = p / q:  dp = dy / q,  dq = -dy · p / q²
const divide: Rule = (c) => {
  const inverse = finite(c.b, c.b.op('Reciprocal', [c.x(1)]));
  const share = c.b.mul(c.dy(), inverse);
  return [() => toInput(c, 0, share), () => c.b.neg(toInput(c, 1, c.b.mul(share, c.b.mul(c.x(0), inverse))))];
};

// y = a^p:  da = dy · p · a^(p-1),  dp = dy · y · ln a
// The exponent has a gradient only where a > 0: elsewhere a^p is constant in p (a = 0) or exists for single p alone.
const pow: Rule = (c) => [
  () => toInput(c, 0, c.b.mul(c.dy(), powerSlope(c))),
  () => {
    const growth = c.b.mul(c.y(), c.b.op('Log', [c.x(0)]));
    const slope = c.b.where(c.b.op('Greater', [c.x(0), c.b.scalar(0)]), growth, c.b.scalar(0));
    return toInput(c, 1, c.b.mul(c.dy(), slope));
  },
];

/** p · a^(p-1); 0 for p = 0, also at a = 0. */
function powerSlope(c: RuleContext): string {
  const constant = c.constant(1);
  // Squares are by far the most frequent powers (variances), and a^1 costs as much as any other power.
  if (constant && toNumbers(constant).every((p) => p === 2)) return c.b.scale(c.x(), 2);
  const p = c.dtype(c.x(1)) === 'float32' ? c.x(1) : c.b.cast(c.x(1), 'float32');
  const lowered = c.b.op('Pow', [c.x(0), c.b.sub(p, c.b.scalar(1))]);
  return finite(c.b, c.b.mul(p, lowered));
}

// y = max(x_0, x_1, …) or min: dy goes to the input that holds y, in equal parts where several do (PyTorch: half each)
const extremum: Rule = (c) => {
  const holds = c.node.inputs.map((_, i) => c.b.cast(c.b.op('Equal', [c.x(i), c.y()]), 'float32'));
  const share = c.b.div(
    c.dy(),
    holds.reduce((sum, h) => c.b.add(sum, h)),
  );
  return holds.map((h, i) => () => toInput(c, i, c.b.mul(share, h)));
};

// y = min(max(x, low), high):  dx = dy where y = x (bounds included, as PyTorch's clamp);
// dlow and dhigh: the sum of dy where that bound took the place of x
const clip: Rule = (c) => {
  const raised = c.has(1) ? c.b.op('Max', [c.x(0), c.x(1)]) : c.x(0);
  const where = (condition: string): string => c.b.where(condition, c.dy(), c.b.scalar(0));
  return [
    () => where(c.b.op('Equal', [c.x(0), c.y()])),
    () => {
      const raisedAndKept = c.b.op('And', [
        c.b.op('Greater', [raised, c.x(0)]),
        c.b.op('Equal', [raised, c.y()]),
      ]);
      return toInput(c, 1, where(raisedAndKept));
    },
    () => toInput(c, 2, where(c.b.op('Greater', [raised, c.y()]))),
  ];
};

// ±1 / √(1 - x²)
const arcSlope = (c: RuleContext): string =>
  finite(c.b, c.b.op('Reciprocal', [c.b.op('Sqrt', [c.b.sub(c.b.scalar(1), c.b.mul(c.x(), c.x()))])]));

export const arithmeticRules = {
  Add: (c) => [() => toInput(c, 0, c.dy()), () => toInput(c, 1, c.dy())],
  Sub: (c) => [() => toInput(c, 0, c.dy()), () => c.b.neg(toInput(c, 1, c.dy()))],
  Mul: (c) => [() => toInput(c, 0, c.b.mul(c.dy(), c.x(1))), () => toInput(c, 1, c.b.mul(c.dy(), c.x(0)))],
  Div: divide,
  Pow: pow,
  Min: extremum,
  Max: extremum,
  Sum: (c) => c.node.inputs.map((_, i) => () => toInput(c, i, c.dy())),
  Mean: (c) => {
    const n = c.node.inputs.length;
    return c.node.inputs.map((_, i) => () => c.b.scale(toInput(c, i, c.dy()), 1 / n));
  },
  Clip: clip,
  // y = condition ? p : q
  Where: (c) => [
    undefined,
    () => toInput(c, 1, c.b.where(c.x(0), c.dy(), c.b.scalar(0))),
    () => toInput(c, 2, c.b.where(c.x(0), c.b.scalar(0), c.dy())),
  ],

  Neg: (c) => [() => c.b.neg(c.dy())],
  // |x|' = sign x, 0 at 0
  Abs: unary((c) => c.b.op('Sign', [c.x()])),
  // √x' = 1 / 2y, 0 at 0
  Sqrt: unary((c) => finite(c.b, c.b.div(c.b.scalar(0.5), c.y()))),
  // Where e^x overflows, the slope stays finite, as 0 · ∞ would turn a discarded branch into NaN (see finite).
  Exp: unary((c) => c.b.op('Clip', [c.y(), '', c.b.scalar(largestFloat32)])),
  Log: unary((c) => finite(c.b, c.b.op('Reciprocal', [c.x()]))),
  // (1/x)' = -y²
  Reciprocal: unary((c) => c.b.neg(finite(c.b, c.b.mul(c.y(), c.y())))),
  // erf' = 2/√π · exp(-x²)
  Erf: unary((c) => c.b.scale(c.b.op('Exp', [c.b.neg(c.b.mul(c.x(), c.x()))]), 2 / Math.sqrt(Math.PI))),

  Sin: unary((c) => c.b.op('Cos', [c.x()])),
  Cos: unary((c) => c.b.neg(c.b.op('Sin', [c.x()]))),
  // tan' = 1 + y²
  Tan: unary((c) => c.b.add(c.b.mul(c.y(), c.y()), c.b.scalar(1))),
  Sinh: unary((c) => c.b.op('Cosh', [c.x()])),
  Cosh: unary((c) => c.b.op('Sinh', [c.x()])),
  Asin: unary(arcSlope),
  Acos: unary((c) => c.b.neg(arcSlope(c))),
  // atan' = 1 / (1 + x²)
  Atan: unary((c) => c.b.op('Reciprocal', [c.b.add(c.b.mul(c.x(), c.x()), c.b.scalar(1))])),
} satisfies RuleFamily<'arithmetic'>;
