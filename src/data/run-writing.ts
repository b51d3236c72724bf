/** Errors of writing to a run folder: what could not be written, why, and what becomes of the run. */

import { NeuralCleanseError } from '../errors.ts';

export const chooseAnother = 'Choose a folder that can be written to with --out.';
export const resumeLater =
  'Make room or make the folder writable, and run again with --resume: finished labels are kept.';

/**
 * Turns what the file system throws into RUN_NOT_WRITTEN; all other errors stay as they are.
 *
 * @param path what is being written, where the error does not say
 */
export async function writing<T>(path: string, hint: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const known = error instanceof NeuralCleanseError ? error : undefined;
    if (known && known.code !== 'FILE_NOT_WRITTEN') throw error;
    const cause = known?.cause ?? error;
    if (!isSystemError(cause)) throw error;
    const file = typeof known?.data.path === 'string' ? known.data.path : path;
    throw new NeuralCleanseError('RUN_NOT_WRITTEN', `"${file}" could not be written: ${cause.message}.`, {
      hint,
      data: { path: file },
      cause,
    });
  }
}

const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error;
