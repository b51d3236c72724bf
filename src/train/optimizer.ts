/** The update of the weights, as part of the step graph. */

import type { GraphBuilder } from '../onnx/builder.ts';
import type { OptimizerSettings } from './settings.ts';

/** What an optimiser remembers of each weight, in the weight's shape; zero at the start. */
export const stateNames = (settings: OptimizerSettings): readonly string[] => {
  if (settings.kind !== 'sgd') return ['mean', 'square'];
  return settings.momentum > 0 ? ['velocity'] : [];
};

/** The numbers that change from step to step, in the order of {@link rates}. */
export const rateCount = 3;

/**
 * Numbers that the update of step `step` (from 1) multiplies with:
 * the size of the step, the factor of √v that corrects its bias, and what decoupled weight decay leaves of a weight.
 */
export function rates(settings: OptimizerSettings, step: number, learningRate: number): Float32Array {
  if (settings.kind === 'sgd') return Float32Array.of(learningRate, 1, 1);
  const { beta1, beta2, kind, weightDecay } = settings;
  return Float32Array.of(
    learningRate / (1 - beta1 ** step),
    1 / Math.sqrt(1 - beta2 ** step),
    kind === 'adamw' ? 1 - learningRate * weightDecay : 1,
  );
}

/** Values of the graph. */
export interface Weight {
  readonly weight: string;
  /** By {@link stateNames}. */
  readonly state: readonly string[];
}

/**
 * Adds the update of one weight. The forms, and where ε stands, are those of PyTorch.
 *
 * Adam (Kingma & Ba 2015): m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g²,
 * w ← w − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).
 * SGD: u ← μu + g, w ← w − ηu, or w − η(g + μu) with Nesterov's momentum.
 *
 * @param rate scalar values, as {@link rates} returns them
 * @param next names for the new weight and the new state
 */
export function appendUpdate(
  b: GraphBuilder,
  settings: OptimizerSettings,
  { weight, state }: Weight,
  gradient: string,
  rate: readonly string[],
  next: Weight,
): void {
  const [size, correction, kept] = rate as [string, string, string];
  const { weightDecay } = settings;
  const isDecoupled = settings.kind === 'adamw' && weightDecay !== 0;
  const g = weightDecay !== 0 && !isDecoupled ? b.add(gradient, b.scale(weight, weightDecay)) : gradient;
  // Results are named where they are made: an Identity for the name would copy them.
  const named = (op: 'Add' | 'Sub', x: string, y: string, name: string): string =>
    b.op(op, [x, y], {}, { outputs: [name] });

  if (settings.kind === 'sgd') {
    const [velocity] = state;
    if (velocity === undefined) {
      named('Sub', weight, b.mul(size, g), next.weight);
      return;
    }
    const moved = named('Add', b.scale(velocity, settings.momentum), g, next.state[0]!);
    const direction = settings.nesterov ? b.add(g, b.scale(moved, settings.momentum)) : moved;
    named('Sub', weight, b.mul(size, direction), next.weight);
    return;
  }

  const [mean, square] = state as [string, string];
  const blend = (decay: number, old: string, fresh: string, name: string): string =>
    named('Add', b.scale(old, decay), b.scale(fresh, 1 - decay), name);
  const first = blend(settings.beta1, mean, g, next.state[0]!);
  const second = blend(settings.beta2, square, b.mul(g, g), next.state[1]!);
  const deviation = b.add(b.mul(b.op('Sqrt', [second]), correction), b.scalar(settings.epsilon));
  const base = isDecoupled ? b.mul(weight, kept) : weight;
  named('Sub', base, b.mul(size, b.div(first, deviation)), next.weight);
}
