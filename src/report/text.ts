/** The result as text: a table with one line a label, the verdict, what it does not prove, what to do next. */

import { subjectName } from '../detect/scan-work.ts';
import type { Verdict } from '../detect/verdict.ts';
import { shellText } from './command-line.ts';
import { estimateMark } from './estimate-mark.ts';
import { nextStep } from './next-step.ts';
import { pairCounts, pairName, suspectsOf } from './pair-text.ts';
import { printable } from './printable.ts';
import type { LabelResult, PairsResult, ScanResult } from './result.ts';

export interface TextStyle {
  /** Columns of the terminal. @default 100 */
  readonly width?: number;
  /** Whether to use ANSI colours. @default false */
  readonly color?: boolean;
}

/** Labels shown where there are more; flagged ones always are. */
const shownLabels = 20;

export function renderText(scan: ScanResult, { width = 100, color = false }: TextStyle = {}): string {
  const result = printable(scan);
  const paint = painter(color);
  const indented = (lines: readonly string[]): string[] =>
    lines.flatMap((line) => wrap(line, width - 2).map((part) => `  ${part}`));
  const section = (title: string, lines: readonly string[]): string[] => [
    '',
    paint('bold', title),
    ...indented(lines),
  ];
  const next = nextStep(result);
  const lines = [
    ...heading(result, width),
    ...(result.labels.length > 0
      ? ['', ...labelTable(result, width, paint), ...indented(statistics(result))]
      : []),
    ...(result.failed.length > 0
      ? section(
          'Failed',
          result.failed.map(
            ({ label, source, start, code, message }) =>
              `${subjectName({ label, source })}, start ${start}: ${code}: ${message}`,
          ),
        )
      : []),
    ...(result.pairs ? section('Pairs', pairLines(result.pairs)) : []),
    '',
    paint(verdictPaint[result.verdict], `Verdict: ${result.verdict}`),
    ...indented(result.reasons),
    ...section('What this does not prove', [notProven[result.verdict]]),
    ...section('Next', [next.advice]),
    // Not wrapped, so that it can be copied.
    ...(next.command ? [`  ${shellText(['neural-cleanse', ...next.command])}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** What a verdict does not prove; a sentence or two. */
export const notProven: Readonly<Record<Verdict, string>> = {
  backdoored:
    'That somebody planted it. A mask far smaller than all others is a shortcut that an attacker can use, but a natural feature of a class can be one too.',
  suspicious:
    'That there is a backdoor. Some clean models have one label that is much easier to reach than the others.',
  'no-patch-backdoor-found':
    'That the model is free of backdoors. Triggers that work on images of one class only, or that cover more than about a tenth of the image, can go unseen too.',
  inconclusive: 'Anything about the model: neither that it has a backdoor nor that it has none.',
};

function heading(result: ScanResult, width: number): string[] {
  const { model, data, preprocess, preflight, config, environment } = result;
  const { height, width: columns, channels } = model.input;
  const accuracy =
    preflight.accuracy === null
      ? 'without labels, so the accuracy is unknown,'
      : `of which ${percent(preflight.accuracy)} are classified correctly`;
  const labels =
    config.labels.length === model.classes
      ? 'all labels'
      : `${config.labels.length} of ${model.classes} labels`;
  const facts = {
    Model: `${model.name}: ${height}×${columns}×${channels}, ${model.classes} classes, sha256 ${model.sha256.slice(0, 12)}…`,
    Data: `${data.source}: ${data.count} images ${accuracy} with preprocessing ${preprocess.name}`,
    Scan: `${labels}, preset ${config.preset}, seed ${config.seed}, ${config.provider}`,
    Run: environment.runFolder,
  };
  return Object.entries(facts).flatMap(([name, fact]) =>
    wrap(fact, width - 7).map((part, i) => `${(i === 0 ? name : '').padEnd(7)}${part}`),
  );
}

type Column = (label: LabelResult) => string;

const normText = ({ l1, status }: LabelResult): string =>
  status === 'censored' ? 'not reached' : `${estimateMark({ status })}${l1.toFixed(1)}`;

const columns: readonly [title: string, cell: Column][] = [
  ['L1', normText],
  ['index', ({ anomalyIndex }) => anomalyIndex?.toFixed(2) ?? '–'],
  ['p', ({ pValue }) => (pValue === null ? '–' : pValue < 1e-4 ? '< 0.0001' : pValue.toFixed(4))],
  ['ASR', ({ asr }) => percent(asr)],
];

/** What all columns take beside names. */
const columnsWidth = 48;

function labelTable(result: ScanResult, width: number, paint: Paint): string[] {
  const levels = new Map(result.findings.map(({ label, level }) => [label, level]));
  // Flagged labels have the smallest masks, and so come first.
  const shown = bySize(result.labels).slice(0, Math.max(shownLabels, levels.size));
  const longest = Math.max(8, Math.min(24, width - columnsWidth));
  const rows = [
    ['label', ...columns.map(([title]) => title)],
    ...shown.map((label) => [labelText(label, longest), ...columns.map(([, cell]) => cell(label))]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const cells = rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  const used = cells[0]!.length + 4;
  const barWidth = Math.max(0, Math.min(40, width - used));
  const largest = Math.max(...shown.map(finishedNorm));
  return [
    paint('dim', `  ${cells[0]}`),
    ...shown.map((label, i) => {
      const level = levels.get(label.label);
      const line = `${level ? '▲' : ' '} ${cells[i + 1]}  ${bar(finishedNorm(label) / largest, barWidth)}`;
      return level ? paint(level === 'backdoored' ? 'red' : 'yellow', line.trimEnd()) : line.trimEnd();
    }),
    ...moreText(result.labels.length - shown.length),
  ];
}

/** Pairs shown at least. */
const shownPairs = 5;

/** Those with the smallest masks; all that are flagged. */
function pairLines(pairs: PairsResult): string[] {
  const flagged = new Set(pairs.findings.map(pairName));
  const suspects = suspectsOf(pairs);
  const last = suspects.findLastIndex((pair) => flagged.has(pairName(pair)));
  const { all, followed } = pairCounts(pairs);
  return [
    ...suspects
      .slice(0, Math.max(shownPairs, last + 1))
      .map(
        (pair) =>
          `${flagged.has(pairName(pair)) ? '▲' : ' '} ${pairName(pair)}: L1 ${pair.l1.toFixed(1)}, ` +
          `${pair.unlearned!.l1.toFixed(1)} once its trigger is unlearned, ASR ${percent(pair.asr)}`,
      ),
    `${all} pairs, ${followed} inverted to the end`,
  ];
}

const moreText = (count: number): string[] =>
  count > 0 ? [`  … and ${count} more ${count === 1 ? 'label' : 'labels'} with larger masks`] : [];

/** Smallest mask first, censored labels last. */
export const bySize = <T extends Pick<LabelResult, 'label' | 'l1' | 'status'>>(labels: readonly T[]): T[] =>
  labels.toSorted(
    (a, b) =>
      Number(a.status === 'censored') - Number(b.status === 'censored') || a.l1 - b.l1 || a.label - b.label,
  );

const finishedNorm = ({ l1, status }: LabelResult): number => (status === 'censored' ? 0 : l1);

/** @param longest of a name, in characters */
function labelText({ label, name }: LabelResult, longest: number): string {
  if (name === undefined) return String(label);
  return `${label} ${name.length > longest ? `${name.slice(0, longest - 1)}…` : name}`;
}

function statistics({ labels, outliers, findings }: ScanResult): string[] {
  if (!outliers) return [];
  const { median, threshold, censored, classic } = outliers;
  const safe =
    median === null || threshold === null
      ? 'Too few labels for an anomaly index'
      : `Median L1 ${median.toFixed(1)} pixels; suspicious from index ${threshold.toFixed(2)}`;
  const original =
    classic === null || classic.anomalyIndex === null
      ? ''
      : `; the original's index is ${classic.anomalyIndex.toFixed(2)}`;
  const estimated = labels.filter(({ status }) => status === 'screened').length;
  const guessed = estimated > 0 ? `; ~ ${estimated} stopped early, and their norms estimated` : '';
  const unreached = censored > 0 ? `; ${censored} never reached the ASR threshold` : '';
  return [`${safe}${original}${unreached}${guessed}${findings.length > 0 ? '; ▲ flagged' : ''}`];
}

/** Eighths of a cell, from empty to full. */
const blocks = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/** @param share in [0, 1]; anything above 0 shows */
function bar(share: number, width: number): string {
  if (!(share > 0) || width === 0) return '';
  const eighths = Math.max(1, Math.round(share * width * 8));
  return '█'.repeat(eighths >> 3) + blocks[eighths & 7];
}

/** Lines of at most `width` characters, unless a word is longer. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;
export type Paint = (style: keyof typeof codes, text: string) => string;

/** @param color whether to use ANSI colours */
export const painter =
  (color: boolean): Paint =>
  (style, text) =>
    color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;

export const verdictPaint: Readonly<Record<Verdict, keyof typeof codes>> = {
  backdoored: 'red',
  suspicious: 'yellow',
  'no-patch-backdoor-found': 'green',
  inconclusive: 'yellow',
};
