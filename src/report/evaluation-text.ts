/** What was measured of a model, as text. */

import type { Rate } from '../attack/wilson.ts';
import type { EvaluationReport } from './evaluation.ts';
import { printable } from './printable.ts';

/** Confusions shown. */
const shown = 5;

export function renderEvaluationText(evaluation: EvaluationReport): string {
  const report = printable(evaluation);
  const { model, data, preprocess, accuracy, attacks } = report;
  const facts = [
    `Model  ${model.name}: ${model.height}×${model.width}×${model.channels}, ${model.classes} classes, sha256 ${model.sha256.slice(0, 12)}…`,
    `Data   ${data.source}: ${data.count} images with preprocessing ${preprocess}`,
    '',
    `Clean accuracy       ${rateText(accuracy)}`,
  ];
  const measured = attacks.flatMap((attack) => [
    '',
    `Trigger ${attack.trigger}`,
    `  ${attackText(attack)}`,
    `  Attack success     ${rateText(attack.asr)}`,
    ...(attack.leakage ? [`  Leakage to others  ${rateText(attack.leakage)}`] : []),
  ]);
  const confusions = topConfusions(report);
  const wrong = confusions.length === 0 ? ['  none'] : confusions;
  return `${[...facts, ...measured, '', 'Most confused', ...wrong].join('\n')}\n`;
}

/** `97.40 %  [97.10, 97.67]  12187 of 12512` */
export const rateText = ({ share, low, high, count, total }: Rate): string =>
  `${percent(share)} %  [${percent(low)}, ${percent(high)}]  ${count} of ${total}`;

const percent = (value: number): string => (100 * value).toFixed(2);

function attackText({ policy, target, sources }: EvaluationReport['attacks'][number]): string {
  if (target === null) return `${policy}: each class becomes the next`;
  return `${policy}: ${sources === null ? 'all other classes' : `classes ${sources.join(', ')}`} become ${target}`;
}

function topConfusions({ confusion, data }: EvaluationReport): string[] {
  const totals = new Map<number, number>();
  for (const { label, count } of confusion) totals.set(label, (totals.get(label) ?? 0) + count);
  const name = (label: number): string => {
    const known = data.classNames?.[label];
    return known === undefined || known === String(label) ? String(label) : `${label} (${known})`;
  };
  return confusion
    .filter(({ label, predicted }) => label !== predicted)
    .sort((a, b) => b.count - a.count || a.label - b.label || a.predicted - b.predicted)
    .slice(0, shown)
    .map(({ label, predicted, count }) => {
      const of = totals.get(label)!;
      return `  ${name(label)} taken for ${name(predicted)}: ${count} of ${of} (${percent(count / of)} %)`;
    });
}
