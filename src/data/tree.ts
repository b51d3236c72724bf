/** A folder, an archive or a set of dropped files: paths to list and bytes to read. */

import type { SkippedFile } from './dataset.ts';

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
  /** Bytes `start` to `end - 1` of a file, fewer where it ends before. */
  slice(path: string, start: number, end: number): Promise<Uint8Array>;
  /** Bytes of a file. */
  size(path: string): Promise<number>;
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
