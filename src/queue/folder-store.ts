/** Blobs as files in a folder that all machines share. */

import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { replaceFiles, wholeFile } from '../data/replace-files.ts';
import { type BlobRef, blobNotFound } from './blob.ts';
import { type BlobStore, storeFailed } from './store.ts';

/** @param folder absolute path; is made if it is not there */
export function folderStore(folder: string): BlobStore {
  // Folders of a million files are slow on many file systems.
  const pathOf = ({ sha256 }: BlobRef): string => join(folder, sha256.slice(0, 2), sha256);
  /** Nothing in the folder may be a link to something else. */
  const checkReal = async (path: string): Promise<void> => {
    const real = join(await realpath(folder), path.slice(folder.length));
    if ((await realpath(path)) !== real) throw new Error(`${path} is a link`);
  };
  return {
    address: folder,
    async put(ref, bytes) {
      const path = pathOf(ref);
      const there = await stat(path).catch(() => undefined);
      if (there?.size === ref.bytes) return;
      try {
        await mkdir(dirname(path), { recursive: true });
        await checkReal(dirname(path));
        await replaceFiles([wholeFile(path, bytes)]);
      } catch (error) {
        throw storeFailed(folder, 'written', error);
      }
    },
    async get(ref) {
      const path = pathOf(ref);
      try {
        await checkReal(path);
        return await readFile(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw blobNotFound(ref, folder);
        throw storeFailed(folder, 'read', error);
      }
    },
  };
}
