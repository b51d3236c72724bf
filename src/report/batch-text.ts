/** The result of a batch as text: a table with one line a model, what failed, what it does not prove, what to do next. */

import {
  type BatchModel,
  type BatchResult,
  batchFiles,
  countOutcomes,
  type ScannedModel,
} from './batch-result.ts';
import { countsText, outcomeLimits, outcomeText, outcomeTitles, whyUnscanned } from './batch-words.ts';
import { shellText, withOptions } from './command-line.ts';
import { printable } from './printable.ts';
import { type Paint, painter, type TextStyle, verdictPaint, wrap } from './text.ts';

export function renderBatchText(given: BatchResult, { width = 100, color = false }: TextStyle = {}): string {
  const batch = printable(given);
  const { models, config, environment } = batch;
  const paint = painter(color);
  const section = (title: string, sentences: readonly string[]): string[] =>
    sentences.length === 0
      ? []
      : [
          '',
          paint('bold', title),
          ...sentences.flatMap((line) => wrap(line, width - 2).map((part) => `  ${part}`)),
        ];
  const counts = countOutcomes(models);
  const failed = models.flatMap((model) => (model.status === 'failed' ? [model] : []));
  const lines = [
    `Models ${models.length}, the riskiest first`,
    `Scans  ${config.data}, preset ${config.preset}, seed ${config.seed}, ${config.provider}`,
    `Batch  ${environment.folder}`,
    '',
    ...modelTable(models, width, paint),
    '',
    paint('bold', countsText(counts)),
    ...section(
      'Failed',
      failed.map((model) => `${model.path}: ${whyUnscanned(model)}`),
    ),
    ...section(
      'What this does not prove',
      [...counts.keys()].map((outcome) => `${outcomeTitles[outcome]}: ${outcomeLimits[outcome]}`),
    ),
    ...nextSteps(batch, section),
  ];
  return `${lines.join('\n')}\n`;
}

/** Of scanned models; the label is that with the smallest mask. */
const columns: readonly [title: string, cell: (model: ScannedModel) => string][] = [
  ['label', ({ smallest }) => smallest?.label.toString() ?? '–'],
  ['L1', ({ smallest }) => smallest?.l1.toFixed(1) ?? '–'],
  ['index', ({ smallest }) => smallest?.anomalyIndex?.toFixed(2) ?? '–'],
  ['p', ({ pValue }) => (pValue === null ? '–' : pValue < 1e-4 ? '< 0.0001' : pValue.toFixed(4))],
];

function modelTable(models: readonly BatchModel[], width: number, paint: Paint): string[] {
  const rows = [
    ['verdict', ...columns.map(([title]) => title)],
    ...models.map((model) => [
      outcomeText(model),
      ...columns.map(([, cell]) => (model.status === 'scanned' ? cell(model) : '')),
    ]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const figures = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  const longest = Math.max(16, width - figures[0]!.length - 4);
  const names = ['model', ...models.map(({ path }) => shortened(path, longest))];
  const nameWidth = Math.max(...names.map((name) => name.length));
  const [heading, ...lines] = names.map((name, i) => `${name.padEnd(nameWidth)}  ${figures[i]!}`.trimEnd());
  return [
    paint('dim', `  ${heading}`),
    ...models.map((model, i) => {
      if (model.status !== 'scanned') return paint('yellow', `✕ ${lines[i]!}`);
      return paint(verdictPaint[model.verdict], `${model.findings.length > 0 ? '▲' : ' '} ${lines[i]!}`);
    }),
  ];
}

/** The end of a path tells more than its beginning. */
const shortened = (path: string, longest: number): string =>
  path.length > longest ? `…${path.slice(1 - longest)}` : path;

function nextSteps(
  { models, environment: { command, folder } }: BatchResult,
  section: (title: string, sentences: readonly string[]) => string[],
): string[] {
  const look = `Open ${folder}/${batchFiles.html}: each model leads to its report, which says how to confirm what was found.`;
  const without = models.some(({ status }) => status !== 'scanned');
  if (!without || command.length === 0) return section('Next', [look]);
  return [
    ...section('Next', [look, 'Models without a result, and only those, are tried again with:']),
    // Not wrapped, so that it can be copied.
    `  ${shellText(['neural-cleanse', ...withOptions(command, { '--resume': true })])}`,
  ];
}
