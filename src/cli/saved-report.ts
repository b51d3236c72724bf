/** Reads from a run folder what a report shows of it. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readRunLog } from '../data/run-folder.ts';
import { NeuralCleanseError } from '../errors.ts';
import { collectReport } from '../report/html/collect.ts';
import type { FinishedReport, ReportContent } from '../report/html/content.ts';
import { extrasFile, type ReportExtras, reportExtras } from '../report/html/extras.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { ScanResult } from '../report/result.ts';
import { readSavedScan } from './saved-scan.ts';

/**
 * The report of a run, finished or not.
 *
 * @throws NeuralCleanseError RUN_NOT_FOUND, RUN_CORRUPT; DATA_CORRUPT or TRIGGER_INVALID for damaged triggers
 */
export async function readSavedReport(folder: string): Promise<ReportContent> {
  const log = await readRunLog(folder, parseLabelRecord);
  const result = await readSavedScan(folder);
  // A scan that the preflight stopped leaves a result without labels, and its folder may be used for another run.
  const replaced = result?.labels.length === 0 && log !== undefined && log.entries.length > 0;
  const sources = replaced ? {} : { result, extras: await readExtras(folder) };
  const content = await collectReport({ ...sources, log, read: (name) => readIfPresent(join(folder, name)) });
  if (content) return content;
  throw new NeuralCleanseError('RUN_NOT_FOUND', `The folder ${folder} holds no run.`, {
    hint: 'Give the folder that a scan has named at its end.',
    data: { path: folder },
  });
}

/**
 * The report of a scan that has just finished, whose log and triggers lie in its folder.
 *
 * @throws NeuralCleanseError as {@link readSavedReport}
 */
export async function finishedReport(
  folder: string,
  result: ScanResult,
  extras: ReportExtras,
): Promise<FinishedReport> {
  const log = await readRunLog(folder, parseLabelRecord);
  const read = (name: string) => readIfPresent(join(folder, name));
  const content = await collectReport({ result, extras, log, read });
  return { ...content!, result };
}

async function readExtras(folder: string): Promise<ReportExtras | undefined> {
  const path = join(folder, extrasFile);
  const bytes = await readIfPresent(path);
  if (!bytes) return undefined;
  try {
    return reportExtras.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new NeuralCleanseError('RUN_CORRUPT', `${path} is not what a scan has written.`, {
      hint: 'Write it again by running the scan with --resume, or delete it: the report then lacks examples.',
      data: { path },
      cause,
    });
  }
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new NeuralCleanseError('DATA_NOT_FOUND', `"${path}" cannot be read: ${message}.`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
}
