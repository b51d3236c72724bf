/** Files that a page was given, as a tree. */

import { NeuralCleanseError } from '../errors.ts';
import { type FileTree, folderOf, isHidden } from './tree.ts';

export interface GivenFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly blob: Blob;
}

/** @param name what messages call the tree; '' for loose files */
export function blobTree(name: string, given: readonly GivenFile[]): FileTree {
  const files = new Map(given.filter(({ path }) => !isHidden(path)).map(({ path, blob }) => [path, blob]));
  const folders = new Set<string>();
  for (const path of files.keys()) {
    for (let folder = folderOf(path); folder !== '' && !folders.has(folder); folder = folderOf(folder))
      folders.add(folder);
  }
  const bytesOf = async (path: string, blob: Blob): Promise<Uint8Array> => {
    try {
      return new Uint8Array(await blob.arrayBuffer());
    } catch (cause) {
      throw new NeuralCleanseError('DATA_NOT_FOUND', `The file ${path} cannot be read any more.`, {
        hint: 'It was moved or changed since it was chosen; choose it again.',
        cause,
      });
    }
  };
  return {
    name,
    files: [...files.keys()].sort(),
    folders: [...folders].sort(),
    skipped: [],
    read: (path) => bytesOf(path, files.get(path)!),
    slice: (path, start, end) => bytesOf(path, files.get(path)!.slice(start, end)),
    size: async (path) => files.get(path)!.size,
  };
}
