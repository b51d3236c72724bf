/** Reads from a run folder what a report shows of it. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';
import type { ReportContent } from '../report/html/content.ts';
import { type RunFiles, readReport } from '../report/html/saved-report.ts';

/**
 * The report of a run, finished or not.
 *
 * @throws NeuralCleanseError RUN_NOT_FOUND, and what {@link readReport} throws
 */
export async function readSavedReport(folder: string): Promise<ReportContent> {
  const content = await readReport(filesIn(folder));
  if (content) return content;
  throw new NeuralCleanseError('RUN_NOT_FOUND', `The folder ${folder} holds no run.`, {
    hint: 'Give the folder that a scan has named at its end.',
    data: { path: folder },
  });
}

/** A run folder. Reading throws DATA_NOT_FOUND for files that are there and cannot be read. */
export const filesIn = (folder: string): RunFiles => ({
  name: folder,
  read: (file) => readIfPresent(join(folder, file)),
});

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // A folder that is none holds nothing.
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new NeuralCleanseError('DATA_NOT_FOUND', `"${path}" cannot be read: ${message}.`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
}
