/** Scans that need not be run again. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readRunLog } from '../data/run-folder.ts';
import { headerDifference } from '../data/run-log.ts';
import { NeuralCleanseError } from '../errors.ts';
import { headerOf, type RunInputs } from '../report/build-result.ts';
import { reportFiles } from '../report/file-names.ts';
import { parseLabelRecord } from '../report/label-record.ts';
import type { ScanResult } from '../report/result.ts';
import { readSavedScan } from './saved-scan.ts';

/**
 * The result of a run with these inputs that has a report and a result for every label; `undefined` if the folder holds none.
 *
 * A run that cannot be read holds none: resuming it says what is wrong with it.
 */
export async function finishedScan(folder: string, inputs: RunInputs): Promise<ScanResult | undefined> {
  try {
    const result = await readSavedScan(folder);
    const log = await readRunLog(folder, parseLabelRecord);
    const hasReport = existsSync(join(folder, reportFiles.html));
    if (!result || !log?.header || !hasReport || result.failed.length > 0) return undefined;
    const expected = headerOf(inputs, result.preprocess);
    const isSame =
      result.data.sha256 === inputs.dataSha256 && headerDifference(log.header, expected) === undefined;
    return isSame ? result : undefined;
  } catch (error) {
    if (error instanceof NeuralCleanseError) return undefined;
    throw error;
  }
}
