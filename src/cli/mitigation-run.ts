/** The reversed triggers of a finished scan. */

import { stat } from 'node:fs/promises';
import { readRunLog } from '../data/run-folder.ts';
import { readTrigger } from '../data/trigger-files.ts';
import { NeuralCleanseError } from '../errors.ts';
import type { FlaggedTrigger } from '../mitigate/flagged-trigger.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { ScanResult } from '../report/result.ts';
import { makeTrigger } from '../triggers/trigger.ts';
import { readSavedScan } from './saved-scan.ts';

export interface FlaggedTriggers {
  readonly scan: ScanResult;
  /** Those that the scan has flagged, smallest mask first, or those asked for, in that order. */
  readonly triggers: readonly FlaggedTrigger[];
}

export interface FlaggedTriggerRequest {
  /** Of the model to repair. */
  readonly sha256: string;
  /** Labels whose triggers to take, flagged or not. */
  readonly labels?: readonly number[] | undefined;
}

/**
 * Reads the result of a scan and the exact triggers of its flagged labels.
 *
 * @throws NeuralCleanseError RUN_NOT_FOUND, RUN_UNFINISHED, RUN_CORRUPT, RUN_MISMATCH if it is of another model,
 *   NOTHING_FLAGGED, TRIGGERS_NOT_FOUND if the folder has no exact trigger of a label
 */
export async function readFlaggedTriggers(
  folder: string,
  { sha256, labels }: FlaggedTriggerRequest,
): Promise<FlaggedTriggers> {
  const scan = await readSavedScan(folder);
  if (!scan) throw await withoutResult(folder);
  if (scan.model.sha256 !== sha256) throw otherModel(folder, scan, sha256);
  const wanted = labels ?? scan.findings.map(({ label }) => label);
  if (wanted.length === 0) throw nothingFlagged(folder, scan);
  const triggers: FlaggedTrigger[] = [];
  for (const label of wanted) triggers.push(await readFlagged(folder, scan, label));
  return { scan, triggers };
}

async function readFlagged(folder: string, scan: ScanResult, label: number): Promise<FlaggedTrigger> {
  const found = scan.labels.find((candidate) => candidate.label === label);
  if (!found) throw labelMissing(folder, scan, label);
  if (found.status !== 'reversed') {
    throw new NeuralCleanseError(
      'TRIGGERS_NOT_FOUND',
      `The scan in ${folder} found no working trigger of label ${label}.`,
      { hint: 'Scan that label again with more steps or samples.', data: { label } },
    );
  }
  const { arrays } = await readTrigger(folder, label);
  if (!arrays) {
    throw new NeuralCleanseError(
      'TRIGGERS_NOT_FOUND',
      `The folder ${folder} holds only pictures of the trigger of label ${label}.`,
      { hint: 'Its mask and pattern are needed as .npy files; run the scan again.', data: { label } },
    );
  }
  return { label, trigger: makeTrigger(arrays.mask, arrays.pattern), asr: found.asr };
}

/** Why a folder has no result. */
async function withoutResult(folder: string): Promise<NeuralCleanseError> {
  const log = await readRunLog(folder, parseLabelRecord);
  if (log) {
    return new NeuralCleanseError('RUN_UNFINISHED', `The scan in ${folder} has no result yet.`, {
      hint: 'Finish it by running it again with --resume.',
      data: { folder, finished: log.entries.length },
    });
  }
  const isFolder = (await stat(folder).catch(() => undefined))?.isDirectory() ?? false;
  return new NeuralCleanseError(
    'RUN_NOT_FOUND',
    isFolder ? `The folder ${folder} holds no run.` : `${folder} is no folder.`,
    { hint: 'Give the folder that `neural-cleanse scan` wrote.', data: { folder } },
  );
}

const otherModel = (folder: string, { model }: ScanResult, sha256: string): NeuralCleanseError =>
  new NeuralCleanseError(
    'RUN_MISMATCH',
    `The run in ${folder} scanned ${model.name} (sha256 ${model.sha256.slice(0, 12)}…), and this model has sha256 ${sha256.slice(0, 12)}….`,
    { hint: 'Give the model that was scanned, or scan this one.', data: { scanned: model.sha256, sha256 } },
  );

const nothingFlagged = (folder: string, { verdict }: ScanResult): NeuralCleanseError =>
  new NeuralCleanseError(
    'NOTHING_FLAGGED',
    `The scan in ${folder} flagged no label (verdict ${verdict}), so there is nothing to repair.`,
    { hint: 'Use the reversed trigger of a label all the same with --labels N.', data: { verdict } },
  );

function labelMissing(folder: string, scan: ScanResult, label: number): NeuralCleanseError {
  const failed = scan.failed.find((failure) => failure.label === label);
  if (failed) {
    return new NeuralCleanseError(
      'RUN_UNFINISHED',
      `The scan in ${folder} could not finish label ${label}: ${failed.message}`,
      { hint: 'Go on with it by running it again with --resume.', data: { label } },
    );
  }
  return new NeuralCleanseError('TRIGGERS_NOT_FOUND', `The scan in ${folder} has no label ${label}.`, {
    hint: `It has ${scan.labels.map((known) => known.label).join(', ') || 'none'}.`,
    data: { label },
  });
}
