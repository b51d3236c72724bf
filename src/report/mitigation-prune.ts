/** What pruning has found: `.curve.json`, a chart, and a few lines of text. */

import { z } from 'zod';
import type { MaskedModel } from '../mitigate/mask-model.ts';
import { type PruneCurve, worstAsr } from '../mitigate/pruning.ts';
import type { LineChart } from './mitigation-chart.tsx';

const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const point = z.strictObject({
  pruned: count.describe('Neurons set to 0.'),
  accuracy: share.describe('On clean images that have not ranked the neurons.'),
  asr: z.array(share).describe('Of each reversed trigger on such images.'),
});

const curve = z.strictObject({
  layer: z.strictObject({ name: z.string(), tensor: z.string(), neurons: count }),
  order: z.array(count).describe('Neurons in the order in which they were pruned.'),
  points: z.array(point),
  chosen: point.describe('Where pruning stops.'),
  reached: z.boolean().describe('Whether all reversed triggers fail there.'),
});

const origin = z.strictObject({
  tool: z.strictObject({ name: z.literal('neural-cleanse'), version: z.string() }),
  versions: z.strictObject({ node: z.string(), onnxruntime: z.string() }),
  model: z.strictObject({ name: z.string(), sha256 }),
  images: z.strictObject({ source: z.string(), sha256, count }),
  preprocess: z.string(),
  run: z.string().describe('Run folder of the scan, as it was given.'),
  triggers: z.array(z.strictObject({ label: count, asr: share.describe('As the scan measured it.') })),
  config: z.strictObject({
    layer: z.string(),
    targetAsr: z.number(),
    maxAccuracyLoss: z.number(),
    seed: count,
  }),
});

export const pruneFile = origin
  .extend({
    schemaVersion: z.literal(1),
    form: z
      .enum(['weights', 'multiplication'])
      .describe('How the neurons were set to 0: in the weights, or by a multiplication that was added.'),
    curves: z.array(curve).min(1).describe('The written model follows the first.'),
  })
  .meta({ title: 'Pruning of a backdoor by neural-cleanse' });

export type PruneReport = z.infer<typeof pruneFile>;

export const pruneReport = (
  curves: readonly PruneCurve[],
  form: MaskedModel['form'],
  facts: z.infer<typeof origin>,
): PruneReport => ({
  schemaVersion: 1,
  ...facts,
  form,
  curves: curves.map(({ layer, order, points, chosen, reached }) => ({
    layer: { name: layer.name, tensor: layer.tensor, neurons: layer.neurons },
    order: [...order],
    points: points.map(pointOf),
    chosen: pointOf(chosen),
    reached,
  })),
});

const pointOf = ({ pruned, accuracy, asr }: PruneCurve['chosen']) => ({ pruned, accuracy, asr: [...asr] });

/** Accuracy and ASR over the pruned share of the layer that was chosen. */
export function pruneChart({ curves, triggers, model }: PruneReport): LineChart {
  const { layer, points, chosen } = curves[0]!;
  const line = (name: string, y: (of: (typeof points)[number]) => number) => ({
    name,
    points: points.map((of) => [of.pruned / layer.neurons, y(of)] as const),
  });
  return {
    title: `${model.name}: pruning ${layer.name}`,
    xTitle: 'pruned neurons',
    yTitle: 'share of held-out images',
    lines: [
      line('accuracy', ({ accuracy }) => accuracy),
      ...triggers.map(({ label }, i) => line(`ASR, reversed trigger ${label}`, ({ asr }) => asr[i]!)),
    ],
    mark: { x: chosen.pruned / layer.neurons, name: 'chosen' },
  };
}

export function describePruning({ curves, triggers, config, form }: PruneReport): string[] {
  const lines = curves.map(({ layer, points, chosen, reached }) => {
    const [before] = points;
    const asr = chosen.asr.map(
      (value, i) => `${triggers[i]!.label}: ${percent(before!.asr[i]!)} -> ${percent(value)}`,
    );
    return (
      `${layer.name.padEnd(11)}  ${chosen.pruned} of ${layer.neurons} neurons: accuracy ${percent(before!.accuracy)} -> ` +
      `${percent(chosen.accuracy)}, ASR of label ${asr.join(', of label ')}${reached ? '' : ', which still works'}`
    );
  });
  const [best] = curves;
  const outcome = best!.reached
    ? []
    : [
        `Pruning alone does not remove the backdoor: within ${percent(config.maxAccuracyLoss)} of accuracy an ASR of ${percent(worstAsr(best!.chosen))} is left.`,
      ];
  const way = form === 'weights' ? 'in the weights' : 'by a multiplication behind the layer';
  return [
    ...lines,
    ...outcome,
    `Chosen     ${best!.layer.name} (${best!.layer.tensor}), zeroed ${way}`,
    'That the reversed trigger fails is no proof that the true one does: scan the result again.',
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
