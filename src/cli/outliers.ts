/** `neural-cleanse outliers DIR` */

import type { Command } from 'commander';
import { readRunLog } from '../data/run-folder.ts';
import { readOriginalMasks } from '../data/trigger-files.ts';
import { minLabels } from '../detect/calibration.ts';
import { findOutliers, formatOriginal, type LabelNorm, type Outliers } from '../detect/outliers.ts';
import { NeuralCleanseError } from '../errors.ts';
import { comparableRecords, parseLabelRecord } from '../report/label-record.ts';
import { exitCodes } from './exit-codes.ts';
import { print } from './output.ts';
import { readSavedScan } from './saved-scan.ts';

export const outliersCommand = (program: Command): Command =>
  program
    .command('outliers')
    .description(
      'which saved masks are abnormally small: by the test of the original, and by a calibrated one',
    )
    .argument('<folder>', 'a run folder, finished or not, or a folder of masks that the original saved')
    .option('--json', 'print JSON')
    .action(async (folder: string, { json }: { readonly json?: true }) => {
      const { source, norms } = await readNorms(folder);
      const outliers = findOutliers(norms);
      if (json) print(JSON.stringify({ source, ...outliers }, undefined, 2));
      else print(...describe(outliers, source));
      if (outliers.median === null) process.exitCode = exitCodes.failed;
    });

interface Norms {
  /** `exact` values of a run, or sums of 8-bit `pictures`. */
  readonly source: 'exact' | 'pictures';
  readonly norms: readonly LabelNorm[];
}

/** From the result; else from the log, which also an unfinished run has; else from pictures. */
async function readNorms(folder: string): Promise<Norms> {
  const log = await readRunLog(folder, parseLabelRecord);
  const result = await readSavedScan(folder);
  const saved = result?.labels ?? (log && comparableRecords(log.entries));
  if (!saved) return { source: 'pictures', norms: await readOriginalMasks(folder) };
  if (saved.length === 0) {
    throw new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The run in ${folder} has no finished label yet.`, {
      hint: 'Go on with the scan by --resume.',
    });
  }
  const norms = saved.map((label) => ({
    label: label.label,
    l1: 'compared' in label ? (label.compared ?? label.l1) : label.l1,
    censored: label.status === 'censored',
  }));
  return { source: 'exact', norms };
}

function describe(outliers: Outliers, source: Norms['source']): string[] {
  const { classic, median, mad, threshold, anomalyIndex, pValue, censored, finished, flagged } = outliers;
  const original = classic ? formatOriginal(classic).split('\n') : [];
  const counts = `${finished} labels${censored > 0 ? `, and ${censored} that never reached the ASR threshold` : ''}`;
  if (median === null || mad === null || threshold === null || anomalyIndex === null || pValue === null) {
    return [
      ...original,
      '',
      `No calibrated index: ${counts}, and at least ${minLabels} are needed to compare.`,
    ];
  }
  const found = flagged.map((flag) => {
    const label = outliers.labels.find((candidate) => candidate.label === flag)!;
    return `  label ${flag}: L1 ${label.l1.toFixed(2)}, index ${label.anomalyIndex!.toFixed(2)}, p = ${showP(label.pValue!)}`;
  });
  return [
    ...original,
    '',
    `calibrated, on log L1 of ${counts}${source === 'pictures' ? ' (8-bit masks)' : ''}:`,
    `median ${median.toFixed(2)} pixels, scale ${mad.toFixed(3)}`,
    `largest index ${anomalyIndex.toFixed(2)}, p = ${showP(pValue)}; flagged from ${threshold.toFixed(2)}`,
    ...(found.length > 0 ? ['flagged:', ...found] : ['no label is flagged']),
  ];
}

const showP = (p: number): string => String(Number(p.toPrecision(2)));
