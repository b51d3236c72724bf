/** Reads the result of a finished scan back from its run folder. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readResult } from '../report/html/saved-report.ts';
import type { ScanResult } from '../report/result.ts';

/**
 * @returns `undefined` if there is no result
 * @throws NeuralCleanseError RUN_CORRUPT
 */
export const readSavedScan = (folder: string): Promise<ScanResult | undefined> =>
  readResult({
    name: folder,
    read: (file) => readFile(join(folder, file)).catch(() => undefined),
  });
