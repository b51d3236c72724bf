/** What archives of every kind share: the paths they may name, and how they show as trees of files. */

import { NeuralCleanseError } from '../errors.ts';
import type { SkippedFile } from './dataset.ts';
import { type FileTree, folderOf, isHidden } from './tree.ts';

/** A file in an archive. */
export interface ArchiveFile {
  /** Relative, with slashes. */
  readonly path: string;
  /** Bytes when unpacked. */
  readonly size: number;
  /** @throws NeuralCleanseError DATA_CORRUPT, DATA_TOO_LARGE, DATA_FORMAT_UNKNOWN */
  read(): Uint8Array;
}

export interface ArchiveContents {
  readonly files: readonly ArchiveFile[];
  /** Folders that are listed themselves; those of the files need not be. */
  readonly folders: readonly string[];
  readonly skipped: readonly SkippedFile[];
}

/** An archive as a tree, without hidden files. Of files with one path the last counts, as when unpacking. */
export function archiveTree(name: string, contents: ArchiveContents): FileTree {
  const files = new Map(
    contents.files.filter(({ path }) => !isHidden(path)).map((file) => [file.path, file]),
  );
  const folders = new Set(contents.folders.filter((path) => !isHidden(path)));
  for (const path of files.keys()) {
    for (let folder = folderOf(path); folder !== '' && !folders.has(folder); folder = folderOf(folder))
      folders.add(folder);
  }
  const read = async (path: string) => files.get(path)!.read();
  return {
    name,
    files: [...files.keys()].sort(),
    folders: [...folders].sort(),
    skipped: contents.skipped,
    read,
    slice: async (path, start, end) => (await read(path)).subarray(start, end),
    size: async (path) => files.get(path)!.size,
  };
}

/**
 * A path as an archive states it, with slashes and without `./`.
 *
 * @throws NeuralCleanseError DATA_UNSAFE_ARCHIVE for one that is absolute or leads out of the archive
 */
export function safePath(path: string): string {
  const slashed = path.replaceAll('\\', '/');
  if (slashed.startsWith('/') || /^[A-Za-z]:/.test(slashed) || slashed.split('/').includes('..')) {
    throw new NeuralCleanseError('DATA_UNSAFE_ARCHIVE', `The archive names the file "${path}".`, {
      hint: 'Make the archive from inside its folder, with relative paths only.',
    });
  }
  return slashed.replace(/^(\.\/+)+/, '');
}
