/** The report of a saved run, from its files, wherever these lie. */

import { logName, parseRunLog, type RunLog } from '../../data/run-log.ts';
import { NeuralCleanseError } from '../../errors.ts';
import { reportFiles } from '../file-names.ts';
import { type LabelRecord, parseLabelRecord } from '../label-record.ts';
import { type ScanResult, scanResult } from '../result.ts';
import { collectReport } from './collect.ts';
import type { FinishedReport, ReportContent } from './content.ts';
import { extrasFile, type ReportExtras, reportExtras } from './extras.ts';

/** The files of a run. */
export interface RunFiles {
  /** For messages: the folder or archive as the user named it. */
  readonly name: string;
  /** `undefined` if there is no such file. */
  read(file: string): Promise<Uint8Array | undefined>;
}

/**
 * @returns `undefined` if there is no run
 * @throws NeuralCleanseError RUN_CORRUPT; DATA_CORRUPT or TRIGGER_INVALID for damaged triggers
 */
export async function readReport(run: RunFiles): Promise<ReportContent | undefined> {
  const log = await readLog(run);
  const result = await readResult(run);
  // A scan that the preflight stopped leaves a result without labels, and its folder may be used for another run.
  const replaced = result?.labels.length === 0 && log !== undefined && log.entries.length > 0;
  const sources = replaced ? {} : { result, extras: await readExtras(run) };
  return collectReport({ ...sources, log, read: (file) => run.read(file) });
}

/** The report of a scan that has just finished, from what it has logged. */
export async function finishedReport(
  run: RunFiles,
  result: ScanResult,
  extras: ReportExtras,
): Promise<FinishedReport> {
  const log = await readLog(run);
  const content = await collectReport({ result, extras, log, read: (file) => run.read(file) });
  return { ...content!, result };
}

async function readLog(run: RunFiles): Promise<RunLog<LabelRecord> | undefined> {
  const bytes = await run.read(logName);
  return bytes && parseRunLog(bytes, pathIn(run, logName), parseLabelRecord);
}

/**
 * @returns `undefined` if there is no result
 * @throws NeuralCleanseError RUN_CORRUPT
 */
export const readResult = (run: RunFiles): Promise<ScanResult | undefined> =>
  parsed(run, reportFiles.json, (value) => scanResult.parse(value), {
    problem: 'is not the result of a scan',
    hint: 'Write it again by running the scan with --resume.',
  });

const readExtras = (run: RunFiles): Promise<ReportExtras | undefined> =>
  parsed(run, extrasFile, (value) => reportExtras.parse(value), {
    problem: 'is not what a scan has written',
    hint: 'Write it again by running the scan with --resume, or delete it: the report then lacks examples.',
  });

async function parsed<T>(
  run: RunFiles,
  file: string,
  parse: (value: unknown) => T,
  { problem, hint }: { readonly problem: string; readonly hint: string },
): Promise<T | undefined> {
  const bytes = await run.read(file);
  if (!bytes) return undefined;
  try {
    return parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    const path = pathIn(run, file);
    throw new NeuralCleanseError('RUN_CORRUPT', `${path} ${problem}.`, { hint, data: { path }, cause });
  }
}

const pathIn = ({ name }: RunFiles, file: string): string => `${name}/${file}`;
