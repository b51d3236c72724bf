/** What pruning leaves of the true triggers. */

import type { LabelledImageSet } from '../../src/data/dataset.ts';
import type { FlaggedTrigger } from '../../src/mitigate/flagged-trigger.ts';
import { maskNeurons } from '../../src/mitigate/mask-model.ts';
import { MaskedPredictor } from '../../src/mitigate/masked-predictor.ts';
import { maskWithout, type PruneCurve, pruneLayers } from '../../src/mitigate/pruning.ts';
import type { ChartLine, LineChart } from '../../src/report/mitigation-chart.tsx';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { everything, judgeModel, type Subject, shareOf, stamped } from './subject.ts';

export type Pruned = Awaited<ReturnType<typeof tryPruning>>[number];

/** Prunes each layer that may be pruned, the better one first, and measures what is left. */
export async function tryPruning(
  subject: Subject,
  images: LabelledImageSet,
  triggers: readonly FlaggedTrigger[],
) {
  const { model, classifier, preprocess, seed, session } = subject;
  const curves = await pruneLayers(nodeRuntime, classifier, preprocess, images, triggers, 'auto', {
    seed,
    session,
  });
  const results = [];
  for (const curve of curves) {
    const { layer, order, chosen, reached } = curve;
    const masked = maskNeurons(model, layer, order.slice(0, chosen.pruned));
    const { accuracy, asr } = await judgeModel(subject, masked.model);
    results.push({
      layer: layer.name,
      neurons: layer.neurons,
      chosen,
      reached,
      form: masked.form,
      accuracy,
      asr,
      followed: await followCurve(subject, curve),
    });
  }
  return results;
}

/** The true triggers along a curve, which the algorithm has not seen. */
async function followCurve(
  { classifier, preprocess, judge, truths, session }: Subject,
  { layer, order, points }: PruneCurve,
) {
  const predictor = await MaskedPredictor.open(nodeRuntime, classifier, preprocess, layer, session);
  const masks = points.map(({ pruned }) => maskWithout(order.slice(0, pruned), layer));
  try {
    const accuracy = (await predictor.predict(judge, everything(judge), masks)).map((labels) =>
      shareOf([...labels].map((label, i) => label === judge.labels[i])),
    );
    const asr: number[][] = [];
    for (const truth of truths) {
      const set = stamped(judge, truth);
      const answers = await predictor.predict(set, everything(set), masks);
      asr.push(answers.map((labels) => shareOf([...labels].map((label) => label === truth.label))));
    }
    return points.map((point, i) => ({
      ...point,
      trueAccuracy: accuracy[i]!,
      trueAsr: asr.map((one) => one[i]!),
    }));
  } finally {
    await predictor.release();
  }
}

/** Accuracy and attacks along a curve. @param name of the model */
export function pruneChart(
  name: string,
  { layer, neurons, chosen, followed }: Pruned,
  { truths }: Subject,
  triggers: readonly FlaggedTrigger[],
): LineChart {
  const across = (y: (point: (typeof followed)[number]) => number): ChartLine['points'] =>
    followed.map((point) => [point.pruned / neurons, y(point)]);
  return {
    title: `${name}: pruning ${layer}`,
    xTitle: 'pruned neurons',
    yTitle: 'share of images used nowhere else',
    lines: [
      { name: 'accuracy', points: across(({ trueAccuracy }) => trueAccuracy) },
      ...truths.map(({ label }, i) => ({
        name: `ASR, true trigger ${truths.length > 1 ? `${i + 1} ` : ''}of ${label}`,
        points: across(({ trueAsr }) => trueAsr[i]!),
      })),
      ...triggers.map(({ label }, i) => ({
        name: `ASR, reversed trigger of ${label}`,
        points: across(({ asr }) => asr[i]!),
      })),
    ],
    mark: { x: chosen.pruned / neurons, name: 'chosen' },
  };
}
