/** Writes files so that nobody ever sees half of one. */

import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { NeuralCleanseError } from '../errors.ts';

export interface FileContent {
  readonly path: string;
  /** Pieces in ascending order of their offsets, in bytes; gaps become zeros. */
  readonly parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

/** A file that has nothing but `content`; text becomes UTF-8. */
export const wholeFile = (path: string, content: string | Uint8Array): FileContent => ({
  path,
  parts: [{ offset: 0, bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content }],
});

/** One write call takes less than 2 GiB. */
const maxWriteBytes = 2 ** 30;

/**
 * Writes every file beside its place, flushes it to the disk, and only then moves all of them into place, in order.
 *
 * Each file is replaced in one step. Of several, put the one that refers to the others last.
 *
 * @throws NeuralCleanseError FILE_NOT_WRITTEN; files that were not moved by then are as they were
 */
export async function replaceFiles(files: readonly FileContent[]): Promise<void> {
  const staged = files.map((file) => ({ ...file, temporary: temporaryPath(file.path) }));
  for (const { path, parts, temporary } of staged) {
    try {
      await writeDurably(temporary, parts);
    } catch (cause) {
      await discard(staged);
      throw notWritten(path, cause);
    }
  }
  for (const { path, temporary } of staged) {
    try {
      await rename(temporary, path);
    } catch (cause) {
      await discard(staged);
      throw notWritten(path, cause);
    }
  }
}

/** In the same folder, so that the move stays within one file system. */
const temporaryPath = (path: string): string => join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);

async function writeDurably(path: string, parts: FileContent['parts']): Promise<void> {
  const file = await open(path, 'wx');
  try {
    for (const { offset, bytes } of parts) await writeAt(file, bytes, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const length = Math.min(maxWriteBytes, bytes.byteLength - done);
    const { bytesWritten } = await file.write(bytes, done, length, offset + done);
    done += bytesWritten;
  }
}

async function discard(staged: readonly { readonly temporary: string }[]): Promise<void> {
  await Promise.all(staged.map(({ temporary }) => rm(temporary, { force: true })));
}

const notWritten = (path: string, cause: unknown): NeuralCleanseError =>
  new NeuralCleanseError(
    'FILE_NOT_WRITTEN',
    `"${path}" could not be written: ${cause instanceof Error ? cause.message : cause}.`,
    { hint: 'Check that its folder exists, can be written to, and has room.', data: { path }, cause },
  );
