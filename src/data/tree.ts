/** A folder, a zip archive or a set of dropped files: paths to list and bytes to read. */

import type { SkippedFile } from './dataset.ts';
import { listZip, readZipEntry } from './zip.ts';

export interface FileTree {
  /** As the user named it, for messages. */
  readonly name: string;
  /** Paths relative to the tree, with slashes, sorted by code unit; hidden files are not among them. */
  readonly files: readonly string[];
  /** Relative paths of the folders, sorted; empty ones count too. */
  readonly folders: readonly string[];
  /** What could not be listed, such as broken links. */
  readonly skipped: readonly SkippedFile[];
  /** @throws NeuralCleanseError DATA_NOT_FOUND, DATA_CORRUPT, DATA_TOO_LARGE */
  read(path: string): Promise<Uint8Array>;
  /** The first bytes of a file, at most `length`. */
  peek(path: string, length: number): Promise<Uint8Array>;
}

/** Files that systems and archivers leave behind: names that begin with a dot, and macOS resource forks. */
export const isHidden = (path: string): boolean =>
  path.split('/').some((part) => part.startsWith('.') || part === '__MACOSX');

export const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** The folder of a path, '' for the top. */
export const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), 0));

/** `folder/name`, where either may be ''. */
export const joinPath = (folder: string, name: string): string =>
  folder && name ? `${folder}/${name}` : folder || name;

/** The files or folders that lie directly in `folder`. */
export const childrenOf = (paths: readonly string[], folder: string): string[] =>
  paths.filter((path) => folderOf(path) === folder);

/**
 * A zip archive as a tree.
 *
 * @throws NeuralCleanseError DATA_CORRUPT, DATA_UNSAFE_ARCHIVE
 */
export function zipTree(bytes: Uint8Array, name: string): FileTree {
  const listed = listZip(bytes).filter(({ path }) => !isHidden(path));
  const entries = new Map(listed.map((entry) => [entry.path, entry]));
  const files = [...entries.keys()].filter((path) => !path.endsWith('/'));
  const folders = new Set(
    [...entries.keys()].filter((path) => path.endsWith('/')).map((path) => path.slice(0, -1)),
  );
  for (const path of files) {
    for (let folder = folderOf(path); folder !== '' && !folders.has(folder); folder = folderOf(folder))
      folders.add(folder);
  }
  const read = async (path: string) => readZipEntry(bytes, entries.get(path)!);
  return {
    name,
    files: files.sort(),
    folders: [...folders].sort(),
    skipped: [],
    read,
    peek: async (path, length) => (await read(path)).subarray(0, length),
  };
}
