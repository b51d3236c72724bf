/** Activation functions. At a kink the slope is that of the left side, Relu'(0) = 0; only HardSigmoid takes 0 at both. */

import { reluGradient } from '../backward-operators.ts';
import type { RuleFamily } from '../operators.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { toInput, unary } from './elementwise.ts';

/** x > limit ? above : below */
const aboveOrBelow = (c: RuleContext, above: string, below: string, limit = 0): string =>
  c.b.where(c.b.op('Greater', [c.x(), c.b.scalar(limit)]), above, below);

/** 1 - v² */
const oneMinusSquare = (c: RuleContext, v: string): string => c.b.sub(c.b.scalar(1), c.b.mul(v, v));

// y = x where x > 0, slope · x elsewhere; the slope broadcasts to x
const prelu: Rule = (c) => [
  () => c.b.mul(c.dy(), aboveOrBelow(c, c.b.scalar(1), c.x(1))),
  () => toInput(c, 1, c.b.mul(c.dy(), c.b.op('Min', [c.x(0), c.b.scalar(0)]))),
];

// Φ(x) + x φ(x), with the normal distribution's Φ(x) = ½ (1 + erf(x/√2)) and φ(x) = exp(-x²/2) / √(2π)
function geluSlope(c: RuleContext): string {
  const { b } = c;
  const x = c.x();
  const cumulative = b.scale(b.add(b.op('Erf', [b.scale(x, Math.SQRT1_2)]), b.scalar(1)), 0.5);
  const density = b.scale(b.op('Exp', [b.scale(b.mul(x, x), -0.5)]), 1 / Math.sqrt(2 * Math.PI));
  return b.add(cumulative, b.mul(x, density));
}

// With t = tanh u, u = k (x + a x³):  y = ½ x (1 + t),  y' = ½ (1 + t) + ½ x (1 - t²) k (1 + 3a x²)
function tanhGeluSlope(c: RuleContext): string {
  const { b } = c;
  const x = c.x();
  const k = Math.sqrt(2 / Math.PI);
  const a = 0.044715;
  const square = b.mul(x, x);
  const u = b.mul(x, b.add(b.scale(square, k * a), b.scalar(k)));
  const du = b.add(b.scale(square, 3 * k * a), b.scalar(k));
  const t = b.op('Tanh', [u]);
  const bend = b.mul(b.mul(x, oneMinusSquare(c, t)), du);
  return b.scale(b.add(b.add(t, b.scalar(1)), bend), 0.5);
}

// With t = tanh(softplus x):  y = x t,  y' = t + x (1 - t²) σ(x)
function mishSlope(c: RuleContext): string {
  const t = c.b.op('Tanh', [c.b.op('Softplus', [c.x()])]);
  const bend = c.b.mul(oneMinusSquare(c, t), c.b.op('Sigmoid', [c.x()]));
  return c.b.add(t, c.b.mul(c.x(), bend));
}

// y = clip(αx + β, 0, 1): slope α strictly inside
function hardSigmoidSlope(c: RuleContext): string {
  const inside = c.b.op('And', [
    c.b.op('Greater', [c.y(), c.b.scalar(0)]),
    c.b.op('Less', [c.y(), c.b.scalar(1)]),
  ]);
  return c.b.where(inside, c.b.scalar(c.float('alpha', 0.2)), c.b.scalar(0));
}

// y = x · clip(x/6 + ½, 0, 1): slope 0 up to -3, x/3 + ½ up to 3, then 1
function hardSwishSlope(c: RuleContext): string {
  const between = c.b.add(c.b.scale(c.x(), 1 / 3), c.b.scalar(0.5));
  return aboveOrBelow(c, c.b.scalar(1), aboveOrBelow(c, between, c.b.scalar(0), -3), 3);
}

// y_i = exp(x_i) / Σ_j exp(x_j):  dx = y · (dy - Σ_j dy_j y_j)
const softmax: Rule = (c) => [
  () => {
    const axis = c.axis(c.int('axis', -1), c.xShape().length);
    const mean = c.b.reduceSum(c.b.mul(c.dy(), c.y()), [axis], true);
    return c.b.mul(c.y(), c.b.sub(c.dy(), mean));
  },
];

// y_i = x_i - ln Σ_j exp(x_j):  dx = dy - exp(y) · Σ_j dy_j
const logSoftmax: Rule = (c) => [
  () => {
    const axis = c.axis(c.int('axis', -1), c.xShape().length);
    const sum = c.b.reduceSum(c.dy(), [axis], true);
    return c.b.sub(c.dy(), c.b.mul(c.b.op('Exp', [c.y()]), sum));
  },
];

export const activationRules = {
  // y = max(x, 0): dx = dy where y > 0
  Relu: (c) => [() => reluGradient(c.b, c.y(), c.dy(), c.yShape())],
  LeakyRelu: unary((c) => aboveOrBelow(c, c.b.scalar(1), c.b.scalar(c.float('alpha', 0.01)))),
  PRelu: prelu,
  // y = α (e^x - 1) below 0, slope y + α
  Elu: unary((c) => aboveOrBelow(c, c.b.scalar(1), c.b.add(c.y(), c.b.scalar(c.float('alpha', 1))))),
  // y = α (e^(x/α) - 1) below 0, slope y/α + 1
  Celu: unary((c) => {
    const below = c.b.add(c.b.scale(c.y(), 1 / c.float('alpha', 1)), c.b.scalar(1));
    return aboveOrBelow(c, c.b.scalar(1), below);
  }),
  // y = γ x above 0, γ α (e^x - 1) below with slope y + γ α. Defaults: the float32 values of the ONNX specification.
  Selu: unary((c) => {
    const alpha = c.float('alpha', 1.6732631921768188);
    const gamma = c.float('gamma', 1.0507010221481323);
    return aboveOrBelow(c, c.b.scalar(gamma), c.b.add(c.y(), c.b.scalar(gamma * alpha)));
  }),
  ThresholdedRelu: unary((c) => aboveOrBelow(c, c.b.scalar(1), c.b.scalar(0), c.float('alpha', 1))),
  HardSigmoid: unary(hardSigmoidSlope),
  HardSwish: unary(hardSwishSlope),
  // σ' = y (1 - y)
  Sigmoid: unary((c) => c.b.mul(c.y(), c.b.sub(c.b.scalar(1), c.y()))),
  // tanh' = 1 - y²
  Tanh: unary((c) => oneMinusSquare(c, c.y())),
  // ln(1 + e^x)' = σ(x)
  Softplus: unary((c) => c.b.op('Sigmoid', [c.x()])),
  // y = x / (1 + |x|), slope 1 / (1 + |x|)² = (1 - |y|)²
  Softsign: unary((c) => {
    const root = c.b.sub(c.b.scalar(1), c.b.op('Abs', [c.y()]));
    return c.b.mul(root, root);
  }),
  Gelu: unary((c) => {
    const approximate = c.string('approximate', 'none');
    if (approximate === 'none') return geluSlope(c);
    if (approximate === 'tanh') return tanhGeluSlope(c);
    throw c.unsupported(`approximate is "${approximate}", not "none" or "tanh"`);
  }),
  Mish: unary(mishSlope),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
} satisfies RuleFamily<'activation'>;
