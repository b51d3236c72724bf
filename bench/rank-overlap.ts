/**
 * How early the labels with the smallest masks are known: the overlap of the smallest after some steps with the smallest at the end, over
 * saved runs. Section V-B of Wang et al. (2019) screens labels by such overlaps of ranks between steps.
 *
 *   npm run bench:ranks -- RUN…
 *
 * RUN is a folder of a scan without screening. Of each label the first start counts; runs of few labels say little.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { targetOf } from '../src/attack/policy.ts';
import { parseTruth } from '../src/attack/truth.ts';
import { logName, parseRunLog } from '../src/data/run-log.ts';
import { median } from '../src/detect/statistics.ts';
import { type LabelRecord, parseLabelRecord } from '../src/report/label-record.ts';
import { scanResult } from '../src/report/result.ts';

const steps = [6, 12, 24, 36, 48, 60, 75];

interface Ranked {
  readonly records: readonly LabelRecord[];
  readonly targets: readonly number[];
}

const runs = process.argv.slice(2).map(readRun);
if (runs.length === 0) {
  console.error('Usage: npm run bench:ranks -- RUN…');
  process.exit(4);
}
console.log(
  `${runs.length} runs of ${[...new Set(runs.map((run) => run.records.length))].join(', ')} labels\n`,
);
console.log(
  '| steps | the 7 smallest of then and of the end in common, mean | with the smallest cross-entropy in place of the smallest mask | rank of planted labels by mask: median, worst | by cross-entropy |',
);
console.log('|---:|---:|---:|---|---|');
for (const step of steps) {
  const byNorm = (record: LabelRecord): number => around(record.curve.norm, step);
  const byEntropy = (record: LabelRecord): number => around(record.curve.crossEntropy, step);
  const cells = [byNorm, byEntropy].map((of) => mean(runs.map((run) => overlap(run, of))).toFixed(2));
  const ranks = [byNorm, byEntropy].map((of) => {
    const all = runs.flatMap(({ records, targets }) => targets.map((label) => rankOf(records, label, of)));
    return all.length === 0 ? '–' : `${median(all)}, ${Math.max(...all)}`;
  });
  console.log(`| ${[step, ...cells, ...ranks].join(' | ')} |`);
}

function readRun(folder: string): Ranked {
  const { environment } = scanResult.parse(JSON.parse(readFileSync(join(folder, 'scan.json'), 'utf8')));
  const log = join(folder, logName);
  const records = parseRunLog(readFileSync(log), log, parseLabelRecord).entries.filter(
    ({ start, status }) => start === 0 && (status === 'reversed' || status === 'censored'),
  );
  const truth = environment.model.replace(/\.onnx$/, '.truth.json');
  const { backdoors } = parseTruth(readFileSync(truth, 'utf8'), truth);
  return { records, targets: backdoors.flatMap(({ policy }) => targetOf(policy) ?? []) };
}

/** Mean over a few steps, of which one alone has noise. */
function around(column: readonly number[], step: number): number {
  return mean(column.slice(Math.max(0, step - 6), step));
}

function ranked(records: readonly LabelRecord[], of: (record: LabelRecord) => number): number[] {
  return records.toSorted((a, b) => of(a) - of(b)).map(({ label }) => label);
}

function rankOf(records: readonly LabelRecord[], label: number, of: (record: LabelRecord) => number): number {
  return 1 + ranked(records, of).indexOf(label);
}

function overlap({ records }: Ranked, of: (record: LabelRecord) => number): number {
  const end = new Set(ranked(records, ({ l1 }) => l1).slice(0, 7));
  return (
    ranked(records, of)
      .slice(0, 7)
      .filter((label) => end.has(label)).length / 7
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
