/** What a repair has done to a model, as text. */

import { estimateMark } from './estimate-mark.ts';
import { rateText } from './evaluation-text.ts';
import { printable } from './printable.ts';
import type { RepairFigures, RepairReport, RepairRoundReport } from './repair.ts';

export function renderRepairText(given: RepairReport): string {
  const report = printable(given);
  const { model, output, data, preprocess, rounds, measured, conclusion } = report;
  const names = ['before', 'after', ...(measured.control ? ['control'] : [])] as const;
  const lines = [
    `Model   ${model.name}, sha256 ${model.sha256.slice(0, 12)}…`,
    ...(output ? [`Result  ${output.name}, sha256 ${output.sha256.slice(0, 12)}…`] : []),
    `Data    ${data.source} with preprocessing ${preprocess}: ${data.train} images to train on, ${data.check} to check with, ${data.measure} to measure by`,
    ...(data.pseudoLabels
      ? [`        labels are the model's own answers; ${data.pseudoLabels.rejected} images were rejected`]
      : []),
    '',
    ...rounds.flatMap(roundText),
    ...rows(measured).flatMap(({ title, cells }) => [
      title,
      ...cells.map((cell, i) => `  ${names[i]!.padEnd(8)} ${cell}`),
    ]),
    '',
    ...inversionText(report),
    ...conclusion,
  ];
  return `${lines.join('\n')}\n`;
}

function roundText({
  round,
  suspects,
  triggers,
  learningRate,
  kept,
  epochs,
  timings,
}: RepairRoundReport): string[] {
  const labels = suspects.map(({ label, reason }) => `${label} (${reason.replace('-', ' ')})`).join(', ');
  return [
    `Round ${round}  label ${labels}; ${triggers} ${triggers === 1 ? 'trigger' : 'triggers'} unlearned at rate ${learningRate}, epoch ${kept} of ${epochs.length} kept, ${timings.seconds.toFixed(0)} s`,
  ];
}

interface RepairRow {
  readonly title: string;
  /** Before, after, and with a control that. */
  readonly cells: readonly string[];
}

/** Each figure of all models that were measured. */
function rows({ before, after, control }: RepairReport['measured']): RepairRow[] {
  const all = [before, after, ...(control ? [control] : [])];
  type Attacked = RepairFigures['reversed' | 'truth'][number];
  const row = (title: string, cellOf: (figures: RepairFigures) => string): RepairRow => ({
    title,
    cells: all.map(cellOf),
  });
  const attackText = ({ asr, unstamped }: Attacked): string =>
    unstamped ? `${rateText(asr)}; without it ${(100 * unstamped.share).toFixed(2)} %` : rateText(asr);
  return [
    row('Clean accuracy', ({ accuracy }) => rateText(accuracy)),
    ...before.reversed.map(({ label, round }, i) =>
      row(`Reversed trigger of label ${label}, round ${round}: attack success`, ({ reversed }) =>
        attackText(reversed[i]!),
      ),
    ),
    ...before.truth.map(({ trigger, target }, i) =>
      row(
        `True trigger ${trigger}${target === null ? '' : ` for label ${target}`}: attack success`,
        ({ truth }) => attackText(truth[i]!),
      ),
    ),
  ];
}

const inversionText = ({ inversions }: RepairReport): string[] => {
  if (inversions.length === 0) return [];
  const size = ({ status, l1, relative }: RepairReport['inversions'][number]['before']): string =>
    status === 'censored'
      ? 'no trigger found'
      : `${estimateMark({ status })}${l1.toFixed(1)} pixels${relative === null ? '' : ` (${relative.toFixed(2)} of the usual size)`}`;
  return [
    ...inversions.map(
      ({ label, before, after, remains }) =>
        `Fresh inversion of label ${label}: ${size(before)} before, ${size(after)} after${remains ? ': still small' : ''}`,
    ),
    '',
  ];
};
