/** Reads the result of a finished scan back from its run folder. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import { reportFiles } from '../report/formats.ts';
import { type ScanResult, scanResult } from '../report/result.ts';

/**
 * @returns `undefined` if there is no result
 * @throws NeuralCleanseError RUN_CORRUPT
 */
export async function readSavedScan(folder: string): Promise<ScanResult | undefined> {
  const path = join(folder, reportFiles.json);
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return scanResult.parse(JSON.parse(text));
  } catch (cause) {
    throw new NeuralCleanseError('RUN_CORRUPT', `${path} is not the result of a scan.`, {
      hint: 'Write it again by running the scan with --resume.',
      data: { path },
      cause,
    });
  }
}
